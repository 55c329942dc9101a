// What the pages gain with JavaScript: charts of series that can be zoomed. Everything else works
// without it. Values come as JSON from our own API and reach the page as numbers only.
"use strict";
(function () {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Times as everywhere on the pages: UTC, 24 hours; a day's first mark says the day.
  const clock = (t) => {
    const iso = new Date(t * 1000).toISOString();
    return iso.slice(11, 16) === "00:00" ? iso.slice(5, 10) : iso.slice(11, 16);
  };

  // Steps of the units, as rules.Quantity has them.
  const binary = (per) => [[2 ** 40, " TiB"], [2 ** 30, " GiB"], [2 ** 20, " MiB"], [2 ** 10, " KiB"], [1, " B"]].map(([size, name]) => [size, name + per]);
  const decimal = (per) => [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k", 1e3], [1, ""]].map(([from, name, size]) => [size ?? from, name + per, from]);
  const steps = {
    s: [[86400, " d", 2 * 86400], [3600, " h", 7200], [60, " min", 120], [1, " s"], [1e-3, " ms"], [1e-6, " µs"]],
    B: binary(""), "B/s": binary("/s"), ratio: [[0.01, " %"]], "%": [[1, " %"]], "/s": decimal("/s"), "": decimal(""),
  };
  const say = (v, unit) => {
    if (v == null) return "–";
    const list = steps[unit] ?? [[1, ` ${unit}`]];
    const [size, name] = (v === 0 && unit === "s" ? [1, " s"] : list.find(([size, , from]) => Math.abs(v) >= (from ?? size))) ?? list[list.length - 1];
    return String(Number((v / size).toPrecision(3))) + name;
  };

  function draw(box, points) {
    const cols = [[], [], [], [], []];
    for (const p of points) {
      cols[0].push(p.t / 1000);
      cols[1].push(p.lower);
      cols[2].push(p.upper);
      cols[3].push(p.expected);
      cols[4].push(p.value);
    }
    const last = cols[0].length - 1;
    const unit = box.dataset.unit;
    const value = (_, v) => say(v, unit);
    const opts = {
      width: box.clientWidth,
      height: 280,
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
      cursor: { drag: { x: true, y: false } },
      // Where no cursor is, the legend reads the last sample.
      hooks: { setLegend: [(u) => u.cursor.idx == null && u.legend.idx !== last && u.setLegend({ idx: last }, false)], ready: [(u) => u.setLegend({ idx: last }, false)] },
      axes: [
        { stroke: css("--fg"), grid: { stroke: css("--line"), width: 1 }, values: (_, ticks) => ticks.map(clock) },
        { stroke: css("--fg"), grid: { stroke: css("--line"), width: 1 }, size: 70, values: (_, ticks) => ticks.map((v) => say(v, unit)) },
      ],
      bands: [{ series: [2, 1], fill: css("--band") }],
      series: [
        { value: (_, t) => (t == null ? "–" : new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ")) },
        { label: "lower", stroke: css("--band"), value },
        { label: "upper", stroke: css("--band"), value },
        { label: "expected", stroke: css("--muted"), dash: [8, 8], value },
        { label: "value", stroke: css("--ok"), width: 2, value },
      ],
    };
    box.replaceChildren();
    const chart = new uPlot(opts, cols, box);
    new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: 280 })).observe(box);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("[data-series]")) {
      fetch(box.dataset.series)
        .then((r) => (r.ok ? r.json() : Promise.reject(new Error(String(r.status)))))
        .then((body) => body.data && body.data.length > 1 && draw(box, body.data))
        .catch(() => { /* The drawing that came with the page stays. */ });
    }
  });
})();
