// Takes the pictures of docs/images: the real pages on the made-up incidents of ./serve, at a fixed time, so that
// a picture changes only when its page does.
//
//   make screenshots
//
// CHROMIUM   browser to use (default: chromium on PATH)
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findBrowser } from "./browser.mjs";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const images = join(root, "docs", "images");
const work = mkdtempSync(join(tmpdir(), "tidemark-screenshots-"));
const largest = 100 * 1024; // A page of the docs with all of them stays light.

mkdirSync(images, { recursive: true });
const binary = join(work, "serve");
execFileSync("go", ["build", "-o", binary, "./browser/serve"], { cwd: root, stdio: "inherit" });
const server = spawn(binary, ["-now", "2026-03-02T09:23:00Z"], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = await once(createInterface({ input: server.stdout }), "line");
const made = JSON.parse(line);
const base = made.url + made.calm;
const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--disable-gpu"], chromiumSandbox: process.getuid?.() !== 0 });

const [series] = (await (await fetch(`${base}/api/v1/series?limit=1`)).json()).data;
const desktop = { width: 1100, height: 760 };
const phone = { width: 390, height: 760 };
for (const { name, path, viewport = desktop, colorScheme = "light", at } of [
  { name: "incidents", path: "/", viewport: { width: 1100, height: 560 } },
  { name: "incident", path: `/incidents/${made.incidents.usual}`, viewport: { width: 1100, height: 1010 } },
  { name: "incident-course", path: `/incidents/${made.incidents.resolved}`, viewport: { width: 1100, height: 420 }, at: "#timeline" },
  { name: "incident-phone", path: `/incidents/${made.incidents.usual}`, viewport: phone, colorScheme: "dark" },
  { name: "series", path: `/series?${new URLSearchParams({ watch: series.watch, labels: series.labels })}`, colorScheme: "dark" },
  { name: "topology", path: "/topology", viewport: { width: 1100, height: 620 } },
  { name: "status", path: "/status", viewport: { width: 1100, height: 560 } },
]) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  await page.goto(base + path, { waitUntil: "networkidle" });
  if (at) await page.locator(at).evaluate((e) => { e.scrollIntoView(); window.scrollBy(0, -16); });
  const cdp = await context.newCDPSession(page);
  let data;
  for (const quality of [80, 65, 50]) {
    data = Buffer.from((await cdp.send("Page.captureScreenshot", { format: "webp", quality })).data, "base64");
    if (data.length <= largest) break;
  }
  if (data.length > largest) throw new Error(`${name} has ${data.length} bytes, at most ${largest} are wanted`);
  writeFileSync(join(images, `${name}.webp`), data);
  console.log(`docs/images/${name}.webp ${(data.length / 1024).toFixed(0)} KB`);
  await context.close();
}
await browser.close();
server.stdin.end();
rmSync(work, { recursive: true, force: true });
