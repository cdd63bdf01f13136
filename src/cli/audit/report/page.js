"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u00a0");
  const words = (counts) => {
    const all = counts.reduce((sum, n) => sum + n, 0);
    const parts = counts.map((n, at) => [n, data.over_time.verdicts[at]]).filter(([n]) => n > 0);
    return number(all) + (all === 1 ? " call" : " calls") + (parts.length ? ": " + parts.map(([n, word]) => number(n) + " " + word).join(", ") : "");
  };
  document.documentElement.classList.add("scripted");

  const readout = document.getElementById("readout");
  const plot = document.querySelector(".columns");
  if (readout && plot) {
    const slots = data.over_time.counts;
    const all = slots.reduce((sum, slot) => sum.map((n, at) => n + slot[at]), [0, 0, 0, 0]);
    const say = (group) => {
      plot.querySelectorAll("g.on").forEach((other) => other.classList.remove("on"));
      if (group) group.classList.add("on");
      readout.textContent = group ? group.querySelector("title").textContent : "All: " + words(all);
    };
    plot.addEventListener("pointerover", (event) => say(event.target.closest("g")));
    plot.addEventListener("pointerleave", () => say(null));
    say(null);
  }

  document.querySelectorAll("[data-filter]").forEach((input) => {
    const table = document.getElementById(input.dataset.filter);
    const count = document.getElementById(input.dataset.filter + "-count");
    const rows = [...table.tBodies[0].rows];
    const show = () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) shown += 1;
      }
      count.textContent = number(shown) + " of " + number(rows.length) + " rows";
    };
    input.addEventListener("input", show);
    show();
  });
})();
