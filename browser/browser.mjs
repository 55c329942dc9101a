// Finds the browser that the tests and the pictures use.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** findBrowser is the path of a Chromium: that of CHROMIUM, or the first on PATH; empty when there is none. */
export function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      if (dir && existsSync(join(dir, name))) return join(dir, name);
    }
  }
  return "";
}
