// Pages of what still changes refresh themselves: htmx fetches, idiomorph changes only what differs, so that focus,
// selection and scroll stay. Without JavaScript the page has a link that loads it again.
"use strict";
(function () {
  const live = () => document.querySelector("[data-live]");
  const tell = (text) => {
    const box = document.getElementById("told");
    if (box && box.textContent !== text) box.textContent = text;
  };
  let said = "";

  // What a reader opened stays open, and what they typed stays typed.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !(node.matches && node.matches("input, select"));

  document.addEventListener("DOMContentLoaded", () => {
    said = live()?.dataset.says ?? "";
    document.body.addEventListener("htmx:beforeRequest", (e) => {
      const ended = !e.detail.elt.hasAttribute("hx-get"); // What was open when the timer was set may have ended.
      if (document.hidden || ended) e.preventDefault();
    });
    document.body.addEventListener("htmx:afterSettle", () => {
      document.getElementById("stale").hidden = true;
      const now = live()?.dataset.says ?? "";
      if (now !== said) tell(`Changed: ${now}`); // Read out when the reader pauses; silence when nothing is new.
      said = now;
    });
    for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
      document.body.addEventListener(failed, () => { document.getElementById("stale").hidden = false; });
    }
    document.addEventListener("visibilitychange", () => {
      const box = live();
      if (!document.hidden && box?.hasAttribute("hx-get")) htmx.trigger(box, "refresh");
    });
  });
})();
