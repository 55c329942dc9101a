// Draws the dashboards from a real Prometheus, without Grafana: every panel's queries are run, and what they
// answer is drawn in the panel's place, in the colours that the dashboard asks for. It shows what the queries
// give, not how Grafana would paint it.
//
//   node browser/dashboards.mjs http://localhost:9090 docs/images tidemark-overview tidemark-incidents
//
// MINUTES   how much of the past is shown (default 15)
// CHROMIUM  browser to use (default: chromium on PATH)
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { findBrowser } from "./browser.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [prometheus, folder, ...wanted] = process.argv.slice(2);
const minutes = Number(process.env.MINUTES ?? 15);
const end = Math.floor(Date.now() / 1000);
const start = end - minutes * 60;
const step = 5;
const largest = 100 * 1024;

async function api(path, params) {
  const answer = await (await fetch(`${prometheus}${path}?${new URLSearchParams(params)}`)).json();
  if (answer.status !== "success") throw new Error(`${params.query}: ${answer.error}`);
  return answer.data.result;
}

/** variables are what a dashboard's variables stand for: everything, and of the series explorer the worst series. */
async function variables(dashboard) {
  const out = { __rate_interval: "1m", __range: `${minutes}m`, __auto: "1m", __interval: `${step}s` };
  for (const v of dashboard.templating.list) {
    const value = Array.isArray(v.current?.value) ? v.current.value[0] : v.current?.value;
    out[v.name] = !value || value === "$__all" ? v.allValue || ".+" : value;
  }
  if (out.series) {
    const [worst] = await api("/api/v1/query", { query: "topk(1, tidemark_anomaly_score)" });
    if (worst) out.series = Object.entries(worst.metric).filter(([k]) => k !== "__name__" && !["job", "instance"].includes(k)).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(",");
    if (worst?.metric.instance) out.instance = worst.metric.instance;
    if (worst?.metric.job) out.job = worst.metric.job;
  }
  return out;
}

const fill = (text, vars) => text.replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (all, a, b) => vars[a ?? b] ?? all);
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const clip = (s, n) => (s.length > n ? `${s.slice(0, n - 1)}…` : s);
const legend = (target, metric, vars) => fill(target.legendFormat ?? "", vars).replace(/\{\{(\w+)\}\}/g, (_, l) => metric[l] ?? "") || Object.entries(metric).filter(([k]) => k !== "__name__").map(([k, v]) => `${k}=${v}`).join(" ");

const si = (v) => {
  const a = Math.abs(v);
  for (const [n, u] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) if (a >= n) return `${+(v / (u === "k" ? 1e3 : n)).toPrecision(3)}${u}`;
  return `${+v.toPrecision(3)}`;
};
const seconds = (v) => (Math.abs(v) < 1 && v !== 0 ? `${+(v * 1e3).toPrecision(3)} ms` : Math.abs(v) < 120 ? `${+v.toPrecision(3)} s` : Math.abs(v) < 7200 ? `${+(v / 60).toPrecision(3)} min` : Math.abs(v) < 172800 ? `${+(v / 3600).toPrecision(3)} h` : `${+(v / 86400).toPrecision(3)} d`);
const format = (v, unit) => (!Number.isFinite(v) ? "–" : unit === "s" || unit === "dtdurations" ? seconds(v) : unit === "percentunit" ? `${+(v * 100).toPrecision(3)} %` : unit === "bytes" ? `${si(v)}B` : unit === "Bps" ? `${si(v)}B/s` : si(v));

const named = { green: "#73bf69", orange: "#ff9830", red: "#f2495c", yellow: "#fade2a", blue: "#5794f2", "super-light-blue": "#8ab8ff", "super-light-yellow": "#fff899", "light-blue": "#8ab8ff", "dark-red": "#c4162a", purple: "#b877d9", transparent: "none", text: "#ccccdc" };
const palette = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a"];
const colour = (c) => named[c] ?? c ?? palette[0];
const byThreshold = (v, defaults) => colour((defaults.thresholds?.steps ?? []).filter((s) => s.value === null || v >= s.value).at(-1)?.color ?? "text");

function overridesOf(panel, name) {
  const out = {};
  for (const o of panel.fieldConfig?.overrides ?? []) {
    const hit = o.matcher.id === "byName" ? o.matcher.options === name : o.matcher.id === "byRegexp" && new RegExp(o.matcher.options.replace(/^\/|\/$/g, "")).test(name);
    if (hit) for (const p of o.properties) out[p.id] = p.value;
  }
  return out;
}

async function series(panel, vars) {
  const out = [];
  for (const t of panel.targets ?? []) {
    if ((t.datasource?.type ?? "prometheus") !== "prometheus") continue;
    const query = fill(t.expr, vars);
    const found = t.instant ? await api("/api/v1/query", { query, time: end }) : await api("/api/v1/query_range", { query, start, end, step });
    for (const r of found) out.push({ name: legend(t, r.metric, vars), metric: r.metric, refId: t.refId, points: (r.values ?? [r.value]).map(([x, v]) => [x, Number(v)]) });
  }
  return out;
}

function axes(w, h, lo, hi, unit, left = 52) {
  const y = (v) => h - 22 - ((h - 34) * (v - lo)) / (hi - lo || 1);
  const x = (t) => left + ((w - left - 8) * (t - start)) / (end - start);
  let svg = "";
  for (let i = 0; i < 4; i++) {
    const v = lo + ((hi - lo) * i) / 3;
    svg += `<path d="M${left} ${y(v)}H${w - 8}" stroke="#2c3235"/><text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${esc(format(v, unit))}</text>`;
  }
  for (let i = 0; i <= 3; i++) {
    const t = start + ((end - start) * (i + 0.25)) / 3.5;
    svg += `<text x="${x(t)}" y="${h - 6}" text-anchor="middle">${new Date(t * 1000).toISOString().slice(11, 16)}</text>`;
  }
  return { x, y, svg };
}

function timeseries(panel, all, w, h) {
  const shown = all.slice(0, 12);
  const unit = panel.fieldConfig.defaults.unit;
  const values = shown.filter((s) => s.name !== "anomaly").flatMap((s) => s.points.map((p) => p[1])).filter(Number.isFinite);
  if (!values.length) return empty(panel);
  let lo = Math.min(...values, panel.fieldConfig.defaults.min ?? Infinity), hi = Math.max(...values);
  if (lo > 0 && lo < hi / 2) lo = 0;
  if (hi === lo) hi = lo + 1;
  const a = axes(w, h - 20, lo, hi + (hi - lo) * 0.05, unit);
  let svg = a.svg, key = "";
  const path = (points) => points.map(([t, v], i) => (Number.isFinite(v) ? `${i && Number.isFinite(points[i - 1][1]) ? "L" : "M"}${a.x(t).toFixed(1)} ${a.y(v).toFixed(1)}` : "")).join("");
  let at = 8;
  for (const [i, s] of shown.entries()) {
    const o = overridesOf(panel, s.name);
    const c = o.color?.fixedColor ? colour(o.color.fixedColor) : palette[i % palette.length];
    if (s.name === "anomaly") {
      for (const [t, v] of s.points) if (v > 0) svg = `<rect x="${a.x(t)}" y="12" width="${a.x(t + step) - a.x(t)}" height="${h - 54}" fill="${c}" opacity=".25"/>${svg}`;
    } else {
      const below = o["custom.fillBelowTo"] && shown.find((b) => b.name === o["custom.fillBelowTo"]);
      if (below) svg += `<path d="${path(s.points)}L${below.points.slice().reverse().filter((p) => Number.isFinite(p[1])).map(([t, v]) => `${a.x(t).toFixed(1)} ${a.y(v).toFixed(1)}`).join("L")}Z" fill="${c}" opacity=".25"/>`;
      svg += `<path d="${path(s.points)}" fill="none" stroke="${c}" stroke-width="${Math.max(1.2, o["custom.lineWidth"] ?? 1.4)}"${o["custom.lineStyle"] ? ' stroke-dasharray="6 5"' : ""}/>`;
    }
    const text = clip(s.name, 34);
    if (at + text.length * 6.4 + 20 < w) key += `<rect x="${at}" y="${h - 14}" width="10" height="3" fill="${c}"/><text x="${at + 14}" y="${h - 9}">${esc(text)}</text>`;
    at += text.length * 6.4 + 26;
  }
  return `<svg width="${w}" height="${h}">${svg}${key}</svg>`;
}

function stat(panel, all, w, h) {
  const v = all[0]?.points.at(-1)?.[1] ?? NaN;
  const d = panel.fieldConfig.defaults;
  const mapped = (d.mappings ?? []).flatMap((m) => (m.type === "value" ? Object.entries(m.options) : [])).find(([k]) => Number(k) === v)?.[1];
  return `<div class="stat" style="height:${h}px;color:${mapped?.color ? colour(mapped.color) : all.length ? byThreshold(v, d) : "#7b8087"}">${esc(mapped?.text ?? (all.length ? format(v, d.unit) : d.noValue ?? "–"))}</div>`;
}

function table(panel, all) {
  const organize = panel.transformations?.find((t) => t.id === "organize")?.options ?? {};
  const hidden = new Set(["__name__", ...Object.entries(organize.excludeByName ?? {}).filter(([, v]) => v).map(([k]) => k)]);
  const name = (l) => organize.renameByName?.[l] || l;
  const value = !hidden.has("Value");
  const labels = [...new Set(all.flatMap((s) => Object.keys(s.metric)))].filter((l) => !hidden.has(l)).slice(0, 6);
  const rows = all.toSorted((a, b) => b.points.at(-1)[1] - a.points.at(-1)[1]).slice(0, 7);
  if (!rows.length) return empty(panel);
  return `<table><tr>${labels.map((l) => `<th>${esc(name(l))}</th>`).join("")}${value ? `<th>${esc(name("Value"))}</th>` : ""}</tr>${rows.map((s) => `<tr>${labels.map((l) => `<td>${esc(clip(s.metric[l] ?? "", 40))}</td>`).join("")}${value ? `<td>${esc(format(s.points.at(-1)[1], panel.fieldConfig.defaults.unit))}</td>` : ""}</tr>`).join("")}</table>`;
}

function lanes(panel, all, w, h) {
  const shown = all.slice(0, Math.floor((h - 24) / 22));
  if (!shown.length) return empty(panel);
  const a = axes(w, h, 0, 1, "short", 210);
  let svg = "";
  for (const [i, s] of shown.entries()) {
    svg += `<text x="4" y="${i * 22 + 15}">${esc(clip(s.name, 32))}</text>`;
    for (const [t, v] of s.points) if (Number.isFinite(v)) svg += `<rect x="${a.x(t)}" y="${i * 22 + 3}" width="${Math.max(a.x(t + step) - a.x(t), 1)}" height="16" fill="${byThreshold(v, panel.fieldConfig.defaults)}"/>`;
  }
  return `<svg width="${w}" height="${h}">${svg}</svg>`;
}

function bars(panel, all, w) {
  const rows = all.toSorted((a, b) => b.points.at(-1)[1] - a.points.at(-1)[1]).slice(0, 8);
  if (!rows.length) return empty(panel);
  const top = Math.max(...rows.map((s) => s.points.at(-1)[1]), 1e-9);
  return rows.map((s) => `<div class="bar"><span>${esc(clip(s.name, 34))}</span><i style="width:${Math.max((w - 330) * (s.points.at(-1)[1] / top), 2)}px;background:${byThreshold(s.points.at(-1)[1], panel.fieldConfig.defaults)}"></i>${esc(format(s.points.at(-1)[1], panel.fieldConfig.defaults.unit))}</div>`).join("");
}

/** heatmap has a row for each query, the first at the bottom, and colours counts by their square root as the panel does. */
function heatmap(panel, all, w, h) {
  const top = Math.max(...all.flatMap((s) => s.points.map((p) => p[1])), 1e-9), height = (h - 24) / Math.max(all.length, 1);
  if (!all.length) return empty(panel);
  const a = axes(w, h, 0, 1, "short", 90);
  let svg = `<path d="M0 ${h - 20}H${w}" stroke="#2c3235"/>`;
  for (const [i, s] of all.entries()) {
    const y = h - 22 - (i + 1) * height;
    svg += `<text x="4" y="${y + height / 2 + 4}">${esc(s.name)}</text>`;
    for (const [t, v] of s.points) if (v > 0) svg += `<rect x="${a.x(t)}" y="${y + 1}" width="${Math.max(a.x(t + step) - a.x(t), 1)}" height="${height - 2}" fill="#ff9830" opacity="${(0.12 + 0.88 * Math.sqrt(v / top)).toFixed(2)}"/>`;
  }
  return `<svg width="${w}" height="${h}">${svg}</svg>`;
}

/** nodes draws what the panel would: circles with their figure and name, callers left of what they call. */
function nodes(panel, all, w, h) {
  const edges = all.filter((s) => s.refId === "edges").map((s) => s.metric);
  const names = all.filter((s) => s.refId === "nodes").map((s) => s.metric);
  if (!names.length) return empty(panel);
  const depth = Object.fromEntries(names.map((n) => [n.id, 0]));
  for (let i = 0; i < names.length; i++) for (const e of edges) if (depth[e.target] <= depth[e.source] && depth[e.source] < 8) depth[e.target] = depth[e.source] + 1;
  const columns = [];
  for (const n of names) (columns[depth[n.id]] ??= []).push(n);
  const at = {};
  for (const [i, column] of columns.entries()) for (const [k, n] of column.entries()) at[n.id] = [60 + ((w - 120) * i) / Math.max(columns.length - 1, 1), (h * (k + 0.5)) / column.length];
  let svg = `<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L6 3L0 6Z" fill="#7b8087"/></marker></defs>`;
  for (const e of edges) {
    const [x1, y1] = at[e.source], [x2, y2] = at[e.target], d = Math.hypot(x2 - x1, y2 - y1) || 1;
    svg += `<path d="M${x1} ${y1}L${x2 - ((x2 - x1) * 20) / d} ${y2 - ((y2 - y1) * 20) / d}" stroke="#5a6068" marker-end="url(#tip)"/>`;
    if (edges.length <= 30) svg += `<text x="${x1 + (x2 - x1) * 0.4}" y="${y1 + (y2 - y1) * 0.4 - 3}">${esc(e.mainstat)}</text>`;
  }
  for (const n of names) {
    const [x, y] = at[n.id];
    svg += `<circle cx="${x}" cy="${y}" r="15" fill="#181b1f" stroke="#73bf69" stroke-width="2"/><text x="${x}" y="${y + 4}" text-anchor="middle">${esc(n.mainstat)}</text><text x="${x}" y="${y + 27}" text-anchor="middle">${esc(clip(n.title, 22))}</text>`;
  }
  return `<svg width="${w}" height="${h}">${svg}</svg>`;
}

const empty = (panel) => `<div class="none">${esc(panel.fieldConfig?.defaults?.noValue ?? "No data")}</div>`;
const kinds = { timeseries, stat, table, "state-timeline": lanes, bargauge: bars, heatmap, nodeGraph: nodes };

async function page(dashboard) {
  const vars = await variables(dashboard);
  const unit = 1200 / 24, row = 38, gap = 8;
  let html = "", bottom = 0;
  for (const p of dashboard.panels) {
    const { x, y, w, h } = p.gridPos;
    bottom = Math.max(bottom, (y + h) * row);
    const box = `left:${x * unit}px;top:${y * row}px;width:${w * unit - gap}px;height:${h * row - gap}px`;
    if (p.type === "row") { html += `<div class="row" style="${box}">${esc(p.title)}</div>`; continue; }
    const draw = kinds[p.type];
    const body = draw ? draw(p, await series(p, vars), w * unit - gap - 18, h * row - gap - 38) : `<div class="none">${esc(p.type)}: drawn by Grafana only</div>`;
    html += `<div class="panel" style="${box}"><h3>${esc(p.title)}</h3>${body}</div>`;
  }
  return { bottom, html: `<!doctype html><meta charset="utf-8"><style>body{margin:12px;background:#111217;color:#ccccdc;font:12px system-ui;position:relative}h1{font-size:17px;margin:0 0 10px}main{position:relative;height:${bottom}px}
.panel{position:absolute;background:#181b1f;border:1px solid #24282e;border-radius:3px;padding:6px 8px;overflow:hidden;box-sizing:border-box}.panel h3{font-size:12.5px;margin:0 0 6px;font-weight:500}.row{position:absolute;font-size:14px;padding-top:12px;box-sizing:border-box}
.stat{font-size:34px;font-weight:600;display:flex;align-items:center;justify-content:center;padding-bottom:8px}.none{color:#7b8087;padding:24px;text-align:center}svg text{fill:#9fa7b3;font-size:11px}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:4px 8px;border-bottom:1px solid #24282e;white-space:nowrap}th{color:#6e9fff;font-weight:500}
.bar{display:flex;align-items:center;gap:8px;height:22px}.bar span{width:210px;overflow:hidden;white-space:nowrap}.bar i{height:14px;display:block}</style><h1>${esc(dashboard.title)}</h1><main>${html}</main>` };
}

const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--disable-gpu"], chromiumSandbox: process.getuid?.() !== 0 });
for (const uid of wanted) {
  const { html, bottom } = await page(JSON.parse(readFileSync(join(root, "dashboards", `${uid}.json`), "utf8")));
  const context = await browser.newContext({ viewport: { width: 1224, height: Math.min(bottom + 60, 1150) } });
  const tab = await context.newPage();
  await tab.setContent(html);
  const cdp = await context.newCDPSession(tab);
  let data;
  for (const quality of [75, 60, 45, 30]) {
    data = Buffer.from((await cdp.send("Page.captureScreenshot", { format: "webp", quality })).data, "base64");
    if (data.length <= largest) break;
  }
  if (data.length > largest) throw new Error(`${uid} has ${data.length} bytes, at most ${largest} are wanted`);
  writeFileSync(join(folder, `dashboard-${uid}.webp`), data);
  console.log(`${uid} ${(data.length / 1024).toFixed(0)} KB`);
  await context.close();
}
await browser.close();
