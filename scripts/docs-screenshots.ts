// Takes the pictures of the inspector in docs/images from the demo, in a real browser: `npm run docs:screenshots`.
// Needs a Chromium: the one at CHROMIUM_PATH, or where a distribution puts it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { chromiumPath, launchChromium } from "../test/helpers/chromium.ts";

const folder = new URL("../docs/images/", import.meta.url);
/** No picture may be larger, in bytes: they are cloned with the project. */
const MAX_BYTES = 300_000;
/** The scene with ten runs at once, by its title. */
const BUSY_SCENE = "Ten runs at once";

/** The demo with its page, from the sources as they are. */
function startDemo(): ChildProcess {
  const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
  return spawn(process.execPath, ["--import", "tsx", main, "demo", "--inspect", "--show-text"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
}

/** Resolves with the first line that holds `text`. */
function lineWith(stream: NodeJS.ReadableStream | null, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (stream === null) return reject(new Error("The demo has no output"));
    const lines = createInterface(stream);
    lines.on("line", (line) => {
      if (line.includes(text)) resolve(line);
    });
    lines.on("close", () => reject(new Error(`The demo ended before "${text}"`)));
  });
}

async function shoot(page: Page, name: string, options: { fullPage?: boolean } = {}): Promise<void> {
  const path = fileURLToPath(new URL(`${name}.png`, folder));
  await page.screenshot({ path, ...options });
  const { size } = statSync(path);
  if (size > MAX_BYTES) throw new Error(`${name}.png has ${size} bytes; at most ${MAX_BYTES} are wanted`);
  console.log(`docs/images/${name}.png`, size);
}

async function takeAll(page: Page, url: string, demo: ChildProcess): Promise<void> {
  const busy = lineWith(demo.stdout, BUSY_SCENE);
  const over = lineWith(demo.stderr, "The page stays");
  await page.goto(url);
  await busy;
  await page.locator("#live tr").nth(5).waitFor();
  await shoot(page, "inspector", { fullPage: true });
  await page.locator("#settled tr", { hasText: "duplicates" }).first().getByRole("button").click();
  await page.locator("#details-timeline li", { hasText: "delivered" }).waitFor();
  await shoot(page, "inspector-timeline");
  await page.keyboard.press("Escape");
  await over;
  await page.locator("#live-count", { hasText: /^0$/ }).waitFor();
  await page.evaluate("scrollTo(0, 0)");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "inspector-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 400, height: 860 });
  await page.evaluate("scrollTo(0, 0)");
  await shoot(page, "inspector-narrow");
}

mkdirSync(folder, { recursive: true });
const executable = chromiumPath();
if (executable === undefined) throw new Error("There is no Chromium: install one or set CHROMIUM_PATH");
const demo = startDemo();
const url = (await lineWith(demo.stderr, "Inspector: ")).replace("Inspector: ", "");
const browser = await launchChromium(executable);
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, colorScheme: "light" });
  await takeAll(page, url, demo);
} finally {
  await browser.close();
  demo.kill();
  await once(demo, "exit");
}
