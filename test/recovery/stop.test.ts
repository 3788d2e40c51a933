import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { createTestClock, type TestClock } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { lastingLedger, NOON, topic } from "./hearing.ts";
import { type Params, type ScriptedSource, scriptedSource } from "./scripted-source.ts";

const SESSIONS = 6;

/** A Gateway in whose sessions two texts were missed, one of them cut. */
function gateway(clock: TestClock): ScriptedSource & { speak(): void } {
  let hasSpoken = false;
  const row = (key: string, n: number, text: string, truncated = false) => ({
    role: "assistant",
    content: [{ type: "text", text: `${key} ${text}` }],
    stopReason: "stop",
    __openclaw: { runId: `${key} run ${n}`, id: `${key} row ${n}`, recordTimestampMs: NOON + n, seq: n, truncated },
  });
  const source = scriptedSource("one", (method, { sessionKey, messageId }: Params) => {
    const key = String(sessionKey);
    if (method === "sessions.list") {
      const sessions = Array.from({ length: SESSIONS }, (_, n) => ({
        key: topic(n),
        createdAt: NOON - 1,
        updatedAt: hasSpoken ? NOON + 2 : NOON,
      }));
      return { ts: clock.now(), sessions };
    }
    if (method === "chat.message.get")
      return { ok: true, message: row(key, Number(String(messageId).slice(-1)), "cut no more") };
    if (method === "chat.history") {
      return { messages: [row(key, 1, "whole"), row(key, 2, "cut\n...(truncated)...", true)], hasMore: false };
    }
    return {};
  });
  return { ...source, speak: () => (hasSpoken = true) };
}

describe("stop()", () => {
  it("at any moment of the catch-up loses and repeats nothing", async () => {
    // As many moments as a whole round has requests.
    for (let moment = 1; moment < 40; moment += 1) {
      const clock = createTestClock(NOON);
      // It outlives the inbox, and so do its timers.
      const ledger = lastingLedger(createTestClock(NOON));
      const source = gateway(clock);
      const told: string[] = [];
      const start = async () => {
        const inbox = createInbox({ source, ledger, clock });
        inbox.messages$.subscribe(({ text }) => told.push(text));
        return inbox;
      };
      const first = await start();
      await first.start();
      await first.stop();
      source.speak();

      const second = await start();
      const before = source.asked.length;
      const started = second.start();
      await until(() => source.asked.length >= before + moment || second.links()[0]?.state === "live", "that moment");
      const toldUntilStop = told.length;
      await second.stop();
      await started;
      const afterStop = told.length;
      const askedAtStop = source.asked.length;
      for (let turns = 0; turns < 5; turns += 1) await turn();
      expect(source.asked.length, "nothing is asked after a stop").toBe(askedAtStop);
      expect(told.length).toBe(afterStop);
      expect(afterStop).toBeGreaterThanOrEqual(toldUntilStop);
      expect(clock.pending, `timers after a stop at ${moment}`).toBe(0);

      const third = await start();
      await third.start();
      await third.stop();
      expect(told.length, `stopped at request ${moment}`).toBe(2 * SESSIONS);
      expect(new Set(told).size).toBe(2 * SESSIONS);
    }
  });

  it("before the hello begins nothing", async () => {
    const clock = createTestClock(NOON);
    const source = gateway(clock);
    const inbox = createInbox({ source, clock });
    const started = inbox.start();
    await inbox.stop();
    await started;
    source.comeBack();
    expect(source.asked).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
