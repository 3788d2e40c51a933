import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { createTestClock, GatewayRefusal } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { heard, listen, NOON, openGateway, openHearing, topic } from "./hearing.ts";
import { scriptedSource } from "./scripted-source.ts";

const text = (words: string) => [{ type: "text", text: words }];

/** A `session.message` event of one run. */
function rowOf(runId: string, n: number, words: string) {
  const mark = { runId, id: `${runId}-${n}`, recordTimestampMs: NOON + n, seq: n };
  const message = { role: "assistant", content: text(words), stopReason: "stop", __openclaw: mark };
  return { type: "event", event: "session.message", payload: { sessionKey: topic(1), message } };
}

describe("the limits of what a Gateway sends", () => {
  it("give a run one second from its first row", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake, {}, { canAsk: false });
    const before = process.cpuUsage();
    for (let n = 0; n < 20_000; n += 1) {
      gateway.sendRaw(JSON.stringify(rowOf("run-1", n, `Row ${n}.`)));
      // Faster than one a second, for longer than that.
      if (n % 2_000 === 1_999) {
        await heard(gateway, hearing);
        clock.advance(500);
      }
    }
    await heard(gateway, hearing);
    expect(hearing.messages).toHaveLength(1);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(5);
  });

  it("keep 16 MiB of rows and read the rest from the history", async () => {
    const { gateway, clock, hearing } = await openHearing();
    const words = "x".repeat(7_000);
    const runs = 1_500;
    for (let n = 0; n < runs; n += 1) {
      gateway.transcripts.add(topic(n), { role: "assistant", content: text(words) }, { runId: `run-${n}` });
    }
    let broken = true;
    gateway.respond("chat.history", ({ sessionKey }) => {
      if (broken) throw new GatewayRefusal({ code: "INTERNAL", message: "disk" });
      return { messages: gateway.transcripts.rows(String(sessionKey)), hasMore: false };
    });
    for (let n = 0; n < runs; n += 1) {
      const [message] = gateway.transcripts.rows(topic(n));
      gateway.emit("session.message", { sessionKey: topic(n), message });
    }
    await until(() => hearing.inbox.stats().frames >= runs, "the rows");
    clock.advance(1_000);
    await until(() => hearing.inbox.stats().recoveryFailed >= runs, "the refusals");
    // What was kept is handed over as it is, since the history cannot be had: two bytes a character.
    expect(hearing.messages).toHaveLength(Math.floor(16_777_216 / 14_000));
    broken = false;
    clock.advance(60_000);
    await until(() => hearing.messages.length === runs, "the rest");
    expect(hearing.messages.every((message) => message.text === words)).toBe(true);
  });

  it("read four histories at once while the loop turns", async () => {
    const clock = createTestClock(NOON);
    let underway = 0;
    let most = 0;
    const sources = ["a", "b"].map((name) =>
      scriptedSource(name, async (method, { sessionKey }) => {
        if (method === "sessions.list") {
          const keys = Array.from({ length: 30 }, (_, n) => ({ key: topic(n), hasActiveRun: true, sessionId: "s" }));
          return { ts: NOON, sessions: keys };
        }
        if (method !== "chat.history") return {};
        underway += 1;
        most = Math.max(most, underway);
        await turn();
        underway -= 1;
        return { sessionKey, messages: [] };
      }),
    );
    await using inbox = createInbox({ source: sources, clock });
    await inbox.start();
    expect(most).toBe(4);
    expect(underway).toBe(0);
  });

  it("catch 10,000 sessions up while the loop turns every 100 ms", async () => {
    const clock = createTestClock(NOON);
    const missed = 10_000;
    const words = "word ".repeat(200);
    const row = (key: string) => ({
      role: "assistant",
      content: text(`${key} ${words}`),
      stopReason: "stop",
      __openclaw: { runId: `run of ${key}`, id: `row of ${key}`, recordTimestampMs: NOON + 5, seq: 1 },
    });
    let isBack = false;
    const source = scriptedSource("one", async (method, { sessionKey, offset = 0 }) => {
      if (method === "chat.history") return { messages: [row(String(sessionKey))], hasMore: false };
      if (method !== "sessions.list") return {};
      const page = Array.from({ length: 200 }, (_, n) => ({
        key: topic((offset as number) + n),
        updatedAt: isBack ? NOON + 5 : NOON,
        createdAt: NOON - 1,
      }));
      const next = (offset as number) + 200;
      return { ts: clock.now(), sessions: page, hasMore: next < missed, nextOffset: next };
    });
    await using inbox = createInbox({ source, clock, maxSessions: missed });
    await inbox.start();
    const longestTurnMs = measureTurns();
    isBack = true;
    source.comeBack();
    await until(() => inbox.links()[0]?.state === "live", "the link to be live", 50_000);
    expect(inbox.stats()).toMatchObject({ recovered: missed, dispatched: missed, recoveryPending: 0 });
    expect(longestTurnMs()).toBeLessThan(100);
  });
});

/**
 * Measures the longest turn of the event loop, from now until the result is called, in ms of CPU time: other processes
 * of this machine do not count.
 */
function measureTurns(): () => number {
  const used = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  let isOver = false;
  let longest = 0;
  let before = used();
  const turn = () => {
    const now = used();
    longest = Math.max(longest, now - before);
    before = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    isOver = true;
    return longest;
  };
}
