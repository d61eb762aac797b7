// Keyboard shortcuts: an element that says data-key="x" is clicked, or focused, when x is pressed.
"use strict";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const at = event.target;
  const typing = at.matches("textarea, select, input:not([type=radio])");
  if (event.key === "Escape" && typing) { at.blur(); return; }
  if (typing) return;
  const key = CSS.escape(event.key.toLowerCase());
  const wanted = document.querySelector(`[data-key="${key}"]:not(:disabled)`);
  if (!wanted) return;
  event.preventDefault();
  if (wanted.matches("textarea, input[type=text]")) { wanted.focus(); } else { wanted.click(); }
});
