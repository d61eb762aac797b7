// What a page is measured by: run in it by tests/gateway/browser/test_everywhere.py.
() => {
  const shown = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0;
  const rgba = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const name = (e) => `${e.tagName.toLowerCase()}${e.className ? "." + e.className : ""} ${JSON.stringify((e.textContent || "").trim().slice(0, 40))}`;

  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !shown(e) || e.closest("script, .skip, .unseen, :disabled")) continue;
    let opacity = 1;
    for (let at = e; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const ink = rgba(getComputedStyle(e).color);
    const paper = behind(e);
    const ratio = contrast(over([ink[0], ink[1], ink[2], ink[3] * opacity], paper), paper);
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${name(e)}`);
  }
  const edges = [...document.querySelectorAll("input:not([type=hidden], [type=radio], [type=checkbox]), textarea, button, label.choice")]
    .filter(shown)
    .filter((e) => contrast(rgba(getComputedStyle(e).borderTopColor), behind(e.parentElement)) < 3)
    .map(name);

  const inline = (e) => getComputedStyle(e).display === "inline" && e.parentElement.textContent.trim() !== e.textContent.trim();
  const small = [...document.querySelectorAll("a, button, input:not([type=hidden]), textarea, summary")]
    .filter((e) => shown(e) && !inline(e) && !e.closest(".skip"))
    .map((e) => [e, (e.closest("label, .entry") || e).getBoundingClientRect()])
    .filter(([, box]) => box.width < 44 || box.height < 44)
    .map(([e, box]) => `${Math.round(box.width)} x ${Math.round(box.height)} ${name(e)}`);

  const wide = [...document.querySelectorAll("body *")]
    .filter((e) => shown(e) && !e.closest(".skip, .unseen") && e.getBoundingClientRect().right > innerWidth + 1)
    .map(name);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || (e.labels && e.labels.length) || (e.textContent || "").trim();
  const refers = ["for", "aria-labelledby", "aria-describedby"].flatMap((a) => [...document.querySelectorAll(`[${a}]`)].flatMap((e) => e.getAttribute(a).split(/\s+/)));
  return {
    pale,
    edges,
    small,
    wide: document.documentElement.scrollWidth > innerWidth ? wide.concat(`${document.documentElement.scrollWidth} px`) : [],
    headings: [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((e) => Number(e.tagName[1])),
    landmarks: [...document.querySelectorAll("header, main, nav")].filter(shown).map((e) => e.tagName.toLowerCase()),
    twice: ids.filter((id, at) => ids.indexOf(id) !== at),
    nameless: [...document.querySelectorAll("a, button, input:not([type=hidden]), textarea:not([hidden]), summary, [role=region], dialog, nav")].filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 120)),
    dangling: refers.filter((id) => !document.getElementById(id)),
    styled: [...document.querySelectorAll("[style], style, script:not([src])")].map((e) => e.outerHTML.slice(0, 120)),
    language: document.documentElement.lang,
    title: document.title,
  };
}
