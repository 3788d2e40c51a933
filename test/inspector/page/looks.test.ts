import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { describe, expect, it } from "vitest";
import { chromium, gateway, inbox, KEY, open, page, until, usePage } from "./opened-page.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe.skipIf(chromium === undefined)("the looks of the inspector's page", () => {
  usePage();

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 400],
    ["dark", 400],
  ] as const)("has no serious flaw for axe and no overflow: %s, %i wide", async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await open({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    await gateway.play(["b-cron-isolated.subscribed", "g6-error-chat-send", "h1-abort-agent-run"]);
    inbox.handle({ runId: "long".repeat(30), sessionKey: KEY.repeat(4), seq: 1, state: "delta", deltaText: "Hello" });
    await until(() => page.locator("#live tr").count()).toBe(1);
    await until(() => page.locator("#settled tr").count()).toBeGreaterThan(2);
    await until(() => page.locator("#dead tr").count()).toBeGreaterThan(0);
    expect(await flaws()).toEqual([]);
    await page.locator("#settled button").first().click();
    await page.locator("#details-timeline li").first().waitFor();
    expect(await flaws()).toEqual([]);
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  });

  async function flaws(): Promise<readonly string[]> {
    // The animations of a light-up would be judged in mid-colour.
    await until(() => page.evaluate<number>("document.getAnimations().length")).toBe(0);
    // By way of the debugger: the page's own policy lets no foreign script in.
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate<AxeResults>("axe.run()");
    expect(passes.length).toBeGreaterThan(15);
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  // A machine that is busy with other tests may draw late.
  it("stays quick with 10,000 live runs at 2000 events a second", { retry: 2 }, async () => {
    await open({ settledWindowMs: 1_000 });
    const live = 10_000;
    const seqs = new Array<number>(live).fill(0);
    const speak = (run: number) => {
      seqs[run] = (seqs[run] ?? 0) + 1;
      inbox.handle({
        runId: `run-${run}`,
        sessionKey: `${KEY}:${run}`,
        seq: seqs[run],
        state: "delta",
        deltaText: "Hi ",
      });
    };
    for (let run = 0; run < live; run += 1) speak(run);
    await until(() => page.locator("#live-note").textContent()).toBe("The newest 100 of 10,000.");
    await page.evaluate(COUNT_CHANGES);
    const gaps = page.evaluate<number[]>(framesOf(4_000));
    let next = 0;
    const talking = setInterval(() => {
      for (let event = 0; event < 40; event += 1) {
        speak(next);
        next = (next + 7) % live;
      }
    }, 20);
    const frames = (await gaps).sort((a, b) => a - b);
    clearInterval(talking);
    expect(await page.locator("#live tr").count()).toBe(100);
    expect(inbox.stats().events).toBeGreaterThan(live + 5_000);
    expect(frames[Math.floor(frames.length * 0.95)]).toBeLessThan(100);
    expect(frames.at(-1)).toBeLessThan(500);
    const changes = await page.evaluate<number>("window.changes");
    expect(changes).toBeGreaterThan(0);
    expect(changes).toBeLessThan((inbox.stats().events - live) / 2);
  });
});

/** A script that counts the changes of the page in `window.changes`. */
const COUNT_CHANGES = `{
  window.changes = 0;
  new MutationObserver((changes) => {
    window.changes += changes.length;
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}`;

/** A script that gives the time between one drawn frame and the next, for `durationMs`. */
function framesOf(durationMs: number): string {
  return `new Promise((resolve) => {
    const seen = [];
    let last = performance.now();
    const end = last + ${durationMs};
    requestAnimationFrame(function frame(now) {
      seen.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else resolve(seen);
    });
  })`;
}
