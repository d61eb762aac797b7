// Makes the console quicker; every page works without it. Shortcuts: an element that says data-key="x"
// is clicked, or focused, when x is pressed. Drafts of decisions are kept in this tab until it is closed.
"use strict";
(() => {
  const root = document.documentElement;
  const live = document.getElementById("live");
  const help = document.getElementById("help");
  const form = document.querySelector("form[data-draft]");
  const who = document.body.dataset.who || "";
  const RENEW_MS = 5 * 60 * 1000;

  const say = (text, link) => {
    live.replaceChildren();
    if (!text) return;
    live.append(text);
    if (link) {
      const a = document.createElement("a");
      a.href = link.href;
      a.textContent = link.text;
      live.append(" ", a);
    }
  };

  // --- Keys -------------------------------------------------------------------------------------
  const kept = (store, name) => { try { return store.getItem(name); } catch { return null; } };
  const keep = (store, name, value) => { try { store.setItem(name, value); } catch { /* full, or not allowed */ } };
  const keysOn = document.getElementById("keys-on");
  const setKeys = (on) => { if (on) root.dataset.keys = ""; else delete root.dataset.keys; };
  setKeys(kept(localStorage, "keys") !== "off");
  if (keysOn) {
    keysOn.checked = "keys" in root.dataset;
    keysOn.addEventListener("change", () => {
      keep(localStorage, "keys", keysOn.checked ? "on" : "off");
      setKeys(keysOn.checked);
    });
  }
  for (const opener of document.querySelectorAll("[data-opens]")) {
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
  }

  const step = (by) => {
    const marks = [...document.querySelectorAll("mark[id]")];
    if (!marks.length) { say("Nothing is marked in this answer."); return; }
    const at = marks.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : marks.length - 1) : (at + by + marks.length) % marks.length;
    marks[next].focus();
    marks[next].scrollIntoView({ block: "center" });
    say(`Finding ${next + 1} of ${marks.length}: ${marks[next].title}`);
  };

  const act = (wanted) => {
    if (wanted.matches("textarea")) { wanted.focus(); return; }
    wanted.click();
    if (!wanted.matches("input[type=radio]")) return;
    const leads = wanted.dataset.leads && document.getElementById(wanted.dataset.leads);
    (leads || wanted).focus();
  };

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button[value=next]"));
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = at.matches("textarea, select, input:not([type=radio], [type=checkbox])");
    if (event.key === "Escape" && typing) { at.blur(); return; }
    if (typing || !("keys" in root.dataset)) return;
    if (event.key === "?" && help) { event.preventDefault(); help.showModal(); return; }
    if (event.key === "j" || event.key === "k") { event.preventDefault(); step(event.key === "j" ? 1 : -1); return; }
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]:not(:disabled)`);
    if (!wanted) return;
    event.preventDefault();
    act(wanted);
  });

  // --- Drafts and the time for an item -----------------------------------------------------------
  const draftName = (item) => `draft ${who} ${item}`;
  const forgetAll = () => {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith("draft ")) sessionStorage.removeItem(name);
  };
  const done = document.querySelector("[data-done]");
  if (done) sessionStorage.removeItem(draftName(done.dataset.done));
  for (const leaver of document.querySelectorAll("[data-forgets]")) {
    leaver.addEventListener(leaver.matches("form") ? "submit" : "click", () => {
      if (leaver.dataset.forgets) sessionStorage.removeItem(draftName(leaver.dataset.forgets));
      else forgetAll();
    });
  }
  if (form) {
    const name = draftName(form.dataset.draft);
    const fields = () => ({
      decision: (form.querySelector("[name=decision]:checked") || {}).value || "",
      reason: form.elements.reason.value,
      text: form.elements.text ? form.elements.text.value : "",
    });
    const before = "typed" in form.dataset ? null : kept(sessionStorage, name);
    if (before) {
      const draft = JSON.parse(before);
      const chosen = draft.decision && form.querySelector(`[name=decision][value="${CSS.escape(draft.decision)}"]`);
      if (chosen) chosen.checked = true;
      form.elements.reason.value = draft.reason;
      if (form.elements.text) form.elements.text.value = draft.text;
      say("What you had begun to write is back.");
    }
    let renewed = Date.now();
    form.addEventListener("input", () => {
      keep(sessionStorage, name, JSON.stringify(fields()));
      if (Date.now() - renewed < RENEW_MS || !window.htmx) return;
      renewed = Date.now();
      window.htmx.trigger("#standing", "keep");
    });
  }

  // --- Forms: sent once --------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || event.defaultPrevented) return;
    // Later, as a disabled button would not be sent along.
    setTimeout(() => { for (const button of document.querySelectorAll("main button")) button.disabled = true; });
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of document.querySelectorAll("main button")) button.disabled = false;
  });

  // --- What htmx fetches -------------------------------------------------------------------------
  let said = (document.getElementById("queue") || { dataset: {} }).dataset.said;
  let stale = false;
  document.body.addEventListener("htmx:afterSwap", () => {
    const queue = document.getElementById("queue");
    if (!queue) return;
    if (queue.dataset.said !== said) say(`${queue.dataset.said} answers wait now.`);
    else if (stale) say("");
    stale = false;
    said = queue.dataset.said;
  });
  const failed = (event) => {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (event.detail.elt && event.detail.elt.id === "standing") {
      if (status === 401) say("Your session is over. What you wrote is kept in this tab.", { href: location.pathname, text: "Sign in again" });
      else if (status === 409) say("Another reviewer has this item now; you cannot decide it any more.", { href: "/sluice/console/reviews", text: "Go to the queue" });
      else say("The gateway cannot be reached just now. Go on writing: nothing is lost in this tab.");
      return;
    }
    stale = true;
    say("The queue cannot be read just now; what you see may be old. It is tried again every ten seconds.");
  };
  document.body.addEventListener("htmx:responseError", failed);
  document.body.addEventListener("htmx:sendError", failed);
})();
