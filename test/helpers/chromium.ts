import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The path of a Chromium: `CHROMIUM_PATH`, else that of a distribution. Undefined when there is none. */
export function chromiumPath(): string | undefined {
  return [process.env["CHROMIUM_PATH"] ?? "", ...PATHS].find((path) => path !== "" && existsSync(path));
}

/** As {@link chromiumPath}. Says in capitals that `suite` is skipped when there is none. */
export function chromiumFor(suite: string): string | undefined {
  const path = chromiumPath();
  if (path === undefined)
    console.error(`\n!!! SKIPPED: ${suite} NEEDS CHROMIUM. INSTALL chromium OR SET CHROMIUM_PATH. !!!\n`);
  return path;
}

/** Starts a Chromium with a new profile and without background requests. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
