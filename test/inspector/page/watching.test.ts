import type { Locator } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { RecordedFrame } from "../../../src/testing/index.ts";
import {
  chromium,
  countIn,
  fact,
  forgive,
  gateway,
  inbox,
  inspector,
  KEY,
  open,
  page,
  row,
  rowOf,
  serve,
  startGateway,
  startInbox,
  takenIn,
  until,
  usePage,
} from "./opened-page.ts";

/** Where the first of a recording's runs ends. */
const firstFinal = (frames: readonly RecordedFrame[]) =>
  frames.findIndex(({ frame }) => (frame["payload"] as { state?: string } | undefined)?.state === "final");

describe.skipIf(chromium === undefined)("the inspector's page", () => {
  usePage();

  it("shows each run of a recording through its states", async () => {
    /** The lengths of the messages, latest first. */
    const chars: string[] = [];
    await open({ deliver: ({ text }) => void chars.unshift(`${text.length}`) });
    await gateway.play("k2-ten-at-once", { edit: (frames) => frames.slice(0, firstFinal(frames)) });
    await until(() => countIn("run", "buffering")).toBe(10);
    await until(() => page.locator("#live tr").count()).toBe(10);
    await gateway.play("k2-ten-at-once", { edit: (frames) => frames.slice(firstFinal(frames)) });
    await until(() => countIn("run", "dispatched")).toBe(10);
    await until(() => countIn("delivery", "delivered")).toBe(10);
    await until(() => countIn("run", "buffering")).toBe(0);
    expect(await countIn("link", "live")).toBe(1);
    expect(await page.locator("#live tr").count()).toBe(0);
    const settled = await page.locator("#settled tr").allInnerTexts();
    expect(settled.map((line) => /dispatched.*delivered\s+([\d,]+)/s.exec(line)?.[1])).toEqual(chars);
    expect(await takenIn("run", "buffering:final:dispatched")).toBe(10);
    expect(await takenIn("run", "buffering:delta:buffering")).toBe(inbox.stats().events - 10);
    expect(await takenIn("delivery", "attempting:succeeded:delivered")).toBe(10);
  });

  it("shows each event of a run's timeline at a click", async () => {
    let fails = 1;
    await open({
      random: () => 0.1,
      deliver: () => {
        if (fails-- > 0) throw new Error("The receiver is busy");
      },
    });
    const hear = (seq: number, state: string, more: object = {}) =>
      inbox.handle({ runId: "run-1", sessionKey: KEY, seq, state, ...more });
    hear(1, "delta", { deltaText: "Hel" });
    hear(2, "delta", { deltaText: "lo" });
    hear(2, "delta", { deltaText: "lo" });
    await rowOf("live", KEY).waitFor();
    expect(await rowOf("live", KEY).textContent()).toContain("1 duplicate");
    await rowOf("live", KEY).getByRole("button").click();
    const lines = page.locator("#details-timeline li");
    await until(() => lines.count()).toBe(3);
    hear(3, "final");
    hear(4, "delta", { deltaText: "!" });
    // Four events, two marked ones, the end, and two attempts: the first failed.
    await until(() => lines.count()).toBe(10);
    const told = (await lines.allInnerTexts()).map((line) =>
      line.replace(/^\+[\d.]+ s\s+/, "").replaceAll("\n", " | "),
    );
    expect(told).toEqual([
      "delta · seq 1 · +3 → 3 characters",
      "delta · seq 2 · +2 → 5 characters",
      "delta · seq 2 | duplicate",
      "final · seq 3 · +0 → 5 characters",
      "run dispatched",
      "delta · seq 4 | after the end",
      "handler called, attempt 1",
      "attempt 1 failed: The receiver is busy; again in 100 ms | retry",
      "handler called, attempt 2",
      "delivered after 2 attempts",
    ]);
    await page.getByRole("button", { name: "Close" }).click();
    await until(() => page.locator("dialog[open]").count()).toBe(0);
  });

  it("is usable by keyboard alone", async () => {
    await open();
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await rowOf("settled", KEY).waitFor();
    const focused = () => page.evaluate<string>("document.activeElement?.textContent ?? ''");
    for (let steps = 0; steps < 30 && (await focused()) !== KEY; steps += 1) await page.keyboard.press("Tab");
    expect(await focused()).toBe(KEY);
    await page.keyboard.press("Enter");
    await page.locator("#details-timeline li").first().waitFor();
    await page.keyboard.press("Escape");
    await until(() => page.locator("dialog[open]").count()).toBe(0);
    expect(await focused()).toBe(KEY);
  });

  it("hides texts unless the inspector shows them", async () => {
    const tell = async () => {
      for (const state of ["delta", "final"])
        inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state, message: { content: "the secret words" } });
      await rowOf("settled", KEY).getByRole("button").click();
      await page.locator("#details-timeline li").nth(2).waitFor();
      return page.evaluate<string>("document.documentElement.outerHTML");
    };
    await open();
    expect(await tell()).not.toContain("secret");
    expect(await page.locator("#details-facts").textContent()).toContain("16 characters");
    await inspector.close();
    await inbox.stop();
    await gateway.close();
    await open({}, { showText: true });
    expect(await tell()).toContain("the secret words");
    expect(await page.locator("#details-text").textContent()).toBe("the secret words");
    // The page that lost its server said so, once or more.
    forgive(/ERR_|404/);
  });

  it("has the runs that settled before it was opened", async () => {
    await startGateway();
    startInbox({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    await serve();
    for (const [runId, text] of [
      ["first", "one"],
      ["second", "three"],
    ])
      inbox.handle({ runId, sessionKey: `${KEY}:${runId}`, seq: 1, state: "final", message: { content: text } });
    await until(() => inbox.stats().dead).toBe(2);
    expect(inspector.watching).toBe(false);
    await page.goto(inspector.url);
    await until(() => page.locator("#settled tr").count()).toBe(2);
    expect((await page.locator("#settled tr").allInnerTexts())[0]).toMatch(
      /dispatched\s+dead\s+No such room\s+5\s+[\d.]+ m?s\s+\d\d:\d\d:\d\d/,
    );
    await row("settled").getByRole("button").click();
    await until(() => page.locator("#details-timeline li").count()).toBe(3);
    expect(await page.locator("#details-timeline li").first().textContent()).toContain("No page was open");
  });

  it("has links, dead letters and every counter", async () => {
    await open({ retry: { maxAttempts: 1 }, deliver: () => Promise.reject(new Error("No such room")) });
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "final", message: { content: "Hello" } });
    await until(() => page.locator("#dead tr").textContent()).toContain("No such room");
    expect(await page.locator("#dead-count").textContent()).toBe("1");
    expect(await page.locator("#links tr").textContent()).toMatch(/^default.*live/);
    await page.getByText("All counters").click();
    await until(() => page.locator("#counters dt").count()).toBe(Object.keys(inbox.stats()).length);
    gateway.drop();
    await until(() => takenIn("link", "live:lost:offline")).toBe(1);
  });

  it("stops its lists on request", async () => {
    await open();
    await page.getByRole("button", { name: "Hold the lists" }).click();
    inbox.handle({ runId: "run-1", sessionKey: KEY, seq: 1, state: "aborted" });
    await until(() => countIn("run", "aborted")).toBe(1);
    expect(await page.locator("#settled tr").count()).toBe(0);
    await page.getByRole("button", { name: "Hold the lists" }).click();
    await rowOf("settled", KEY).waitFor();
  });

  it("begins with the lists and keeps folds", async () => {
    await open();
    const summary = page.getByText("Machines", { exact: true });
    const top = async (locator: Locator) => (await locator.boundingBox())?.y ?? 0;
    expect(await top(page.locator("#settled-title"))).toBeLessThan(await top(summary));
    await summary.click();
    await until(() => page.locator("#machine-run").isVisible()).toBe(false);
    await page.reload();
    await page.locator('#connection[data-state="watching"]').waitFor();
    expect(await page.locator("#machine-run").isVisible()).toBe(false);
  });

  it("breaks session keys at colons and shows the end of long ones", async () => {
    await open();
    const long = `${KEY}:${"x".repeat(30)}:${KEY}:end`;
    inbox.handle({ runId: "run-1", sessionKey: long, seq: 1, state: "aborted" });
    await until(() => row("settled").getByRole("button").textContent()).toBe(`…:${KEY}:end`);
    expect(await row("settled").getByRole("button").getAttribute("title")).toBe(long);
    await row("settled").getByRole("button").click();
    await until(() => fact("Session").textContent()).toBe(`${long} Copy`);
  });
});
