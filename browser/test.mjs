// Looks at every page of Tidemark with a real browser: light and dark, desktop and phone, with and
// without JavaScript, on made-up incidents (./serve) with hostile text wherever people write text.
//
//   cd browser && npm ci && cd .. && node browser/test.mjs
//
// CHROMIUM                browser to use (default: chromium or chromium-browser on PATH)
// TIDEMARK_SCREENSHOTS    folder for screenshots (default: a new one below the system's temp folder)
// VERBOSE                 name what passes, with its time
// ONLY                    pattern of the pages to look at, for a quick look while working on one
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { findBrowser } from "./browser.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
let passed = 0;
let failed = 0;

function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

/** without says what is missing; in CI that is a failure, elsewhere nothing was tested. */
function without(what) {
  console.error(`browser tests not run: ${what}`);
  if (process.env.CI === "true") failed++;
  finish();
}

const executablePath = findBrowser();
if (!executablePath) without("no Chromium found: install the package chromium, or set CHROMIUM to its path");

let chromium, axeSource;
try {
  ({ chromium } = await import("playwright-core"));
  axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
} catch (err) {
  without(`npm packages are missing (${err.message}): run npm ci in browser/`);
}

const work = mkdtempSync(join(tmpdir(), "tidemark-browser-"));
const shots = process.env.TIDEMARK_SCREENSHOTS || join(work, "screenshots");
mkdirSync(shots, { recursive: true });

const binary = join(work, "serve");
execFileSync("go", ["build", "-o", binary, "./browser/serve"], { cwd: root, stdio: "inherit" });
const server = spawn(binary, [], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = await once(createInterface({ input: server.stdout }), "line");
const made = JSON.parse(line);
const browser = await chromium.launch({ executablePath, args: ["--disable-gpu"], chromiumSandbox: process.getuid?.() !== 0 });

/** check runs fn as one named test; what it throws is its failure. */
async function check(name, fn) {
  try {
    const start = performance.now();
    await fn();
    passed++;
    if (process.env.VERBOSE) console.log(`ok ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  } catch (err) {
    failed++;
    console.error(`FAIL ${name}\n     ${String(err.message ?? err).split("\n").slice(0, 12).join("\n     ")}`);
  }
}

function expect(ok, message) {
  if (!ok) throw new Error(message);
}

/** open gives a page whose traps note scripts that ran and rules that the policy saw broken. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (options.javaScriptEnabled !== false) {
    await context.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
    });
  }
  const page = await context.newPage();
  page.problems = [];
  page.on("dialog", (d) => { page.problems.push(`dialog ${d.message()}`); d.dismiss(); });
  page.on("pageerror", (e) => page.problems.push(`error ${e.message}`));
  page.on("console", (m) => m.type() === "error" && page.problems.push(`console ${m.text()}`));
  // Leaving a page ends the list's refresh that is on its way: no failure.
  page.on("requestfailed", (r) => r.failure()?.errorText !== "net::ERR_ABORTED" && page.problems.push(`request ${r.url()} ${r.failure()?.errorText}`));
  page.on("request", (r) => { if (!r.url().startsWith(made.url) && !r.url().startsWith("data:")) page.problems.push(`left for ${r.url()}`); });
  return page;
}

async function harmless(page) {
  const seen = await page.evaluate(() => ({ trap: window.trap, violations: window.violations }));
  expect(seen.trap === undefined, `a hostile string ran as script ${seen.trap}`);
  expect(seen.violations.length === 0, `the content security policy was broken: ${seen.violations.join("; ")}`);
  expect(page.problems.length === 0, page.problems.join("; "));
}

async function fits(page) {
  const [inner, wide] = await page.evaluate(() => {
    const out = [];
    const edge = document.documentElement.clientWidth;
    const inScroller = (el) => { for (let p = el.parentElement; p; p = p.parentElement) if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)) return true; return false; };
    for (const el of document.querySelectorAll("main *, header *, footer *")) {
      if (el.getBoundingClientRect().right > edge + 1 && el.getClientRects().length && !inScroller(el) && !el.closest(".skip")) out.push(`${el.tagName}.${el.getAttribute("class") ?? ""}`);
    }
    return [document.documentElement.scrollWidth - edge, out];
  });
  expect(inner <= 0, `the page is ${inner} px wider than the window: ${wide.slice(0, 5).join(", ")}`);
}

async function accessible(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  expect(bad.length === 0, bad.map((v) => `${v.impact} ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + (n.any[0]?.message ?? "")).join(" | ")}`).join("\n"));
}

const series = await (await fetch(`${made.url}/api/v1/series?limit=3`)).json();
const link = (s) => `/series?${new URLSearchParams({ watch: s.watch, labels: s.labels })}`;
const pages = {
  incidents: "/", "incidents-search": "/incidents?q=checkout&state=firing", "incidents-none": "/incidents?q=nothing+matches",
  incident: `/incidents/${made.incidents.usual}`, "incident-hostile": `/incidents/${made.incidents.hostile}`,
  "incident-storm": `/incidents/${made.incidents.storm}`, "incident-vague": `/incidents/${made.incidents.vague}`,
  "incident-resolved": `/incidents/${made.incidents.resolved}`, series: "/series", "series-anomalous": "/series?anomalous=1",
  "series-one": link(series.data[0]), "series-hostile": link(series.data[2]), "fresh-incidents": `${made.fresh}/`, "fresh-series": `${made.fresh}/series`, "fresh-topology": `${made.fresh}/topology`, "fresh-status": `${made.fresh}/status`, topology: "/topology", status: "/status", missing: "/incidents/none",
};
const only = process.env.ONLY;
const looks = [];
for (const colorScheme of ["light", "dark"]) {
  for (const [device, width, height] of [["desktop", 1280, 900], ["phone", 390, 844]]) looks.push({ name: `${colorScheme}-${device}`, colorScheme, viewport: { width, height } });
}

// Accessibility is judged where colours and layout differ most; the other two looks share each with one.
const judged = ["light-desktop", "dark-phone"];
for (const { name: look, ...options } of looks) {
  const page = await open(options);
  for (const [name, path] of Object.entries(pages)) {
    if (only && !name.match(only)) continue;
    await check(`${name} in ${look} is whole, harmless, fits${judged.includes(look) ? " and is accessible" : ""}`, async () => {
      page.problems.length = 0;
      const missing = name === "missing";
      const answer = await page.goto(made.url + path, { waitUntil: name.startsWith("series-") ? "networkidle" : "load" });
      expect(answer.status() === (missing ? 404 : 200), `answered ${answer.status()}`);
      if (missing) page.problems.length = 0; // The browser notes the 404 itself.
      const height = await page.evaluate(() => Math.min(document.documentElement.scrollHeight, 4000));
      await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true, clip: { x: 0, y: 0, width: options.viewport.width, height } });
      await harmless(page);
      await fits(page);
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      await fits(page);
      if (judged.includes(look)) await accessible(page);
    });
  }
  await page.context().close();
}

await check("approve with the keyboard alone", async () => {
  const page = await open();
  await page.goto(`${made.url}/incidents/${made.incidents.usual}`);
  const focused = () => page.evaluate(() => { const e = document.activeElement; return `${e.tagName} ${e.getAttribute("name") ?? ""} ${e.textContent.trim()}`; });
  const seek = async (want) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      if ((await focused()).match(want)) return;
    }
    throw new Error(`sixty times Tab did not reach ${want}, the last was ${await focused()}`);
  };
  await page.keyboard.press("Tab");
  expect((await focused()).includes("Skip"), "the first stop is not the link that skips the navigation");
  await seek(/^INPUT token/);
  await page.keyboard.type(made.token);
  await seek(/Approve/);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  expect(outline !== "none", "the focus cannot be seen");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.getByText("approved by night shift").waitFor({ timeout: 5000 });
  expect(page.url().endsWith("#do"), `landed on ${page.url()}`);
  await page.context().close();
});

await check("a wrong token is refused on a page with a way back", async () => {
  const page = await open();
  await page.goto(`${made.url}/incidents/${made.incidents.storm}`);
  await page.locator("input[name=token]").first().fill("wrong-wrong-wrong-wrong");
  await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Approve" }).first().click()]);
  await page.getByText("role approve").waitFor({ timeout: 5000 });
  await page.getByRole("link", { name: "Back to the incident" }).click();
  expect(page.url().endsWith(made.incidents.storm), `landed on ${page.url()}`);
  await page.context().close();
});

await check("the page of an open incident refreshes itself, keeps what its reader does, and ends with the incident", async () => {
  const page = await open();
  await page.clock.install();
  const asked = [];
  const answered = [];
  page.on("request", (r) => r.url().endsWith(made.incidents.open) && asked.push(r.url()));
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (r) => r.url().endsWith(made.incidents.open) && answered.push(r.url()));
  await page.goto(`${made.url}/incidents/${made.incidents.open}`);
  await page.getByText("As a list").click();
  await page.getByText("HighErrorRate (10").click();
  const token = page.locator(".do input[name=token]").first();
  await token.fill("typed-so-far");
  await page.locator("#fb-cause").fill("a cause");
  await page.evaluate(() => window.scrollTo(0, 700));
  await page.locator("#fb-cause").focus({ preventScroll: true });
  await page.evaluate(() => window.scrollTo(0, 700));
  const told = page.locator("#told");
  const pass = async (ms) => { await page.clock.runFor(ms); };
  // The clock stands still but for what passes here; an answer comes in real time, and is settled a moment after it.
  const refreshed = async () => {
    const n = asked.length + 1;
    for (let i = 0; i < 100 && asked.length < n; i++) await pass(500);
    for (let i = 0; i < 200 && answered.length < n; i++) await new Promise((done) => { setTimeout(done, 20); });
    expect(answered.length >= n, "the page is not refreshed");
    await pass(100);
  };
  const kept = async () => page.evaluate(() => ({
    folds: [...document.querySelectorAll("details[open] > summary")].map((s) => s.textContent.trim().split(" (")[0]),
    focus: document.activeElement.id, scroll: Math.round(window.scrollY),
    typed: [document.querySelector(".do input[name=token]").value, document.getElementById("fb-cause").value],
  }));
  const before = await kept();
  expect(before.folds.includes("As a list") && before.focus === "fb-cause" && before.scroll > 600, `not set up: ${JSON.stringify(before)}`);

  await refreshed();
  expect(await told.textContent() === "", "nothing is announced when nothing is new");
  await page.request.post(`${made.url}/made-up/alert`);
  await refreshed();
  await page.getByText("25 alerts → 1 incident").waitFor({ timeout: 5000, state: "attached" });
  expect(/Changed: firing, 25 alerts/.test(await told.textContent()), `announced: ${await told.textContent()}`);
  expect(JSON.stringify(await kept()) === JSON.stringify(before), `the reader's ${JSON.stringify(before)} became ${JSON.stringify(await kept())}`);

  await page.evaluate(() => Object.defineProperty(document, "hidden", { configurable: true, get: () => window.away }));
  await page.evaluate(() => { window.away = true; });
  const quiet = asked.length;
  await pass(60_000);
  expect(asked.length === quiet, "a hidden page is refreshed");
  await page.evaluate(() => { window.away = false; document.dispatchEvent(new Event("visibilitychange")); });
  await pass(100);
  expect(asked.length > quiet, "a page that is seen again is not refreshed at once");

  await page.route("**/incidents/open-1", (r) => r.abort());
  page.problems.length = 0;
  await refreshed();
  await page.locator("#stale").waitFor({ timeout: 5000 });
  page.problems.length = 0; // The request that failed is meant to.
  await page.unroute("**/incidents/open-1");
  await refreshed();
  await page.locator("#stale").waitFor({ timeout: 5000, state: "hidden" });

  await page.request.post(`${made.url}/made-up/end`);
  await refreshed();
  expect(/Changed: resolved/.test(await told.textContent()), `announced: ${await told.textContent()}`);
  const ended = asked.length;
  await pass(60_000);
  expect(asked.length === ended, "the page of an incident that has ended is refreshed");
  expect(JSON.stringify((await kept()).folds) === JSON.stringify(before.folds), "the folds closed at the end");
  await harmless(page);
  await page.context().close();
});

await check("pages say the same with JavaScript off", async () => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(made.url + pages.incident);
  for (const text of ["payments-db disk", "82 %", "StatefulSet payments-db was changed", "Path from cause to symptom", "DiskIOSaturated"]) {
    await page.getByText(text).first().waitFor({ timeout: 5000 });
  }
  expect(await page.locator("svg").count() >= 3, "charts, map and timeline are not drawn");
  await Promise.all([page.waitForNavigation(), page.getByRole("link", { name: "load again" }).first().click()]);
  await page.goto(made.url + pages["series-one"]);
  expect(await page.locator("svg").count() >= 2, "band and season are not drawn");
  await page.goto(`${made.url}/`);
  await page.fill("#q", "latency of service-03");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  expect(await page.locator("tbody tr").count() > 5, "the search found nothing");
  await page.goto(`${made.url}/incidents/${made.incidents.vague}`);
  await page.locator("input[name=token]").first().fill(made.token);
  await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Reject" }).first().click()]);
  await page.getByText("rejected").first().waitFor({ timeout: 5000 });
  await page.context().close();
});

await check("deep links and every link of a page work behind a route prefix", async () => {
  const page = await open();
  for (const name of ["incidents-search", "incident", "series-one", "topology", "status"]) {
    page.problems.length = 0;
    await page.goto(made.url + made.prefix + pages[name], { waitUntil: "networkidle" });
    await harmless(page);
    const links = await page.$$eval("a[href], link[href], script[src], form[action]", (all) => all.map((e) => e.href || e.src || e.action));
    for (const url of new Set(links)) {
      const { origin, pathname } = new URL(url);
      if (origin === made.url) expect(pathname.startsWith(`${made.prefix}/`), `${name} links to ${pathname}`);
    }
  }
  await page.goto(made.url + made.prefix + pages["incidents-search"]);
  expect(await page.inputValue("#q") === "checkout" && await page.inputValue("#state") === "firing", "the link's search is not in the form");
  await page.getByRole("link", { name: /payments-db disk degradation affecting/ }).click();
  await page.getByText("82 %").first().waitFor({ timeout: 5000 });
  await page.context().close();
});

await check("a page prints without what cannot be used on paper", async () => {
  const page = await open();
  await page.goto(made.url + pages.incident);
  await page.emulateMedia({ media: "print" });
  expect(!(await page.locator("header.top").isVisible()) && !(await page.locator("button").first().isVisible()), "buttons are printed");
  expect(await page.getByText("payments-db disk").first().isVisible(), "the cause is not printed");
  await page.context().close();
});

/** figures prints what a first visit costs. */
for (const [name, what] of [["incidents", `${"1 000"} incidents`], ["incident-storm", "10 000 alerts in an incident"], ["incident", "usual incident"], ["series-one", "series"]]) {
  await check(`first visit to the page of ${what} is light and quick`, async () => {
    const page = await open();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Network.enable");
    let document = 0, bytes = 0;
    const kinds = new Map();
    cdp.on("Network.responseReceived", (e) => kinds.set(e.requestId, e.type));
    cdp.on("Network.loadingFinished", (e) => { if (kinds.get(e.requestId) === "Document") document += e.encodedDataLength; else if (["Script", "Stylesheet"].includes(kinds.get(e.requestId))) bytes += e.encodedDataLength; });
    const paints = [];
    for (let i = 0; i < 3; i++) {
      await page.goto(made.url + pages[name], { waitUntil: i === 0 ? "networkidle" : "load" });
      const painted = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
      paints.push(await painted.jsonValue());
      if (i === 0) {
        console.log(`${name} (${what}): page ${(document / 1024).toFixed(1)} KB, scripts and styles ${(bytes / 1024).toFixed(1)} KB over the wire`);
        expect(document + bytes <= 60 * 1024, `first load is ${((document + bytes) / 1024).toFixed(1)} KB: the budget is 60 KB`);
      }
    }
    console.log(`${name} (${what}): first contentful paint ${paints.map((p) => p.toFixed(0)).join(", ")} ms`);
    expect(paints.every((p) => p < 10_000), "the first paint takes longer than ten seconds");
    await page.context().close();
  });
}

await browser.close();
server.stdin.end();
await once(server, "exit");
if (process.env.TIDEMARK_SCREENSHOTS || failed > 0) console.log(`screenshots: ${shots}`);
else rmSync(work, { recursive: true, force: true });
finish();
