import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createInbox,
  createMemoryLedger,
  createSqliteLedger,
  type DeliveryOutcome,
  type Inbox,
  InboxError,
  type InboxOptions,
  type Ledger,
  PermanentError,
} from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { turn } from "../helpers/turns.ts";

const clock = createTestClock();

function open(options: InboxOptions): { inbox: Inbox; ends: DeliveryOutcome[] } {
  const inbox = createInbox({ clock, random: () => 0.999_999, ...options });
  const ends: DeliveryOutcome[] = [];
  inbox.deliveries$.subscribe((end) => ends.push(end));
  return { inbox, ends };
}

let count = 0;
function say(inbox: Inbox, text: string, sessionKey = "agent:main:main"): void {
  inbox.handle({ runId: `run-${++count}`, sessionKey, seq: 1, state: "final", message: { content: text } });
}

/** Expects the next call of the handler after `waitMs`, and not before. */
async function expectNextCallAfter(waitMs: number, calls: () => number): Promise<void> {
  const before = calls();
  clock.advance(waitMs - 1);
  await turn();
  expect(calls()).toBe(before);
  clock.advance(1);
  await turn();
  expect(calls()).toBe(before + 1);
}

describe("delivery", () => {
  it("calls the handler once for a message", async () => {
    const calls: [string, number][] = [];
    const { inbox, ends } = open({ deliver: ({ text }, { attempt }) => void calls.push([text, attempt]) });
    say(inbox, "Hello");
    expect(calls).toEqual([]);
    await turn();
    expect(calls).toEqual([["Hello", 1]]);
    expect(ends).toMatchObject([{ status: "delivered", attempts: 1 }]);
    expect(inbox.stats()).toMatchObject({ delivered: 1, pending: 0 });
    await inbox.stop();
  });

  it("repeats a failed attempt with the same message id after a doubling wait", async () => {
    const calls: [string, number, number][] = [];
    const start = clock.now();
    const { inbox, ends } = open({
      retry: { maxAttempts: 5, firstDelayMs: 100, maxDelayMs: 300 },
      deliver({ id }, { attempt }) {
        calls.push([id, attempt, clock.now() - start]);
        if (attempt < 5) throw new Error("not yet");
      },
    });
    say(inbox, "Hello");
    for (const waitMs of [100, 200, 300, 300]) {
      await turn();
      clock.advance(waitMs - 1);
      await turn();
      const before = calls.length;
      clock.advance(1);
      await turn();
      expect(calls.length).toBe(before + 1);
    }
    expect(new Set(calls.map(([id]) => id)).size).toBe(1);
    expect(calls.map(([, attempt, at]) => [attempt, at])).toEqual([
      [1, 0],
      [2, 100],
      [3, 300],
      [4, 600],
      [5, 900],
    ]);
    expect(ends).toMatchObject([{ status: "delivered", attempts: 5 }]);
    await inbox.stop();
  });

  it("spreads the waits by full jitter", async () => {
    let calls = 0;
    const { inbox } = open({
      random: () => 0.25,
      retry: { firstDelayMs: 1_000 },
      deliver: () => Promise.reject(new Error(`no ${++calls}`)),
    });
    say(inbox, "Hello");
    await turn();
    await expectNextCallAfter(250, () => calls);
    await inbox.stop({ drainMs: 0 });
  });

  it("makes a dead letter after the last attempt and delivers it anew", async () => {
    let broken = true;
    const { inbox, ends } = open({
      retry: { maxAttempts: 2, firstDelayMs: 10 },
      deliver() {
        if (broken) throw new Error("down");
      },
    });
    say(inbox, "Hello");
    await turn();
    clock.advance(10);
    await turn();
    expect(ends).toMatchObject([{ status: "dead", attempts: 2, error: "down" }]);
    const [letter] = await inbox.deadLetters();
    expect(letter).toMatchObject({ state: "dead", attempts: 2, error: "down", message: { text: "Hello" } });
    broken = false;
    expect(await inbox.redeliver(letter?.message.id ?? "")).toBe(true);
    expect(await inbox.redeliver(letter?.message.id ?? "")).toBe(false);
    await turn();
    expect(ends[1]).toMatchObject({ status: "delivered", attempts: 1 });
    expect(await inbox.deadLetters()).toEqual([]);
    await inbox.stop();
  });

  it("gives up at once on a PermanentError", async () => {
    const { inbox, ends } = open({ deliver: () => Promise.reject(new PermanentError("no such reader")) });
    say(inbox, "Hello");
    await turn();
    expect(ends).toMatchObject([{ status: "dead", attempts: 1, error: "no such reader" }]);
    await inbox.stop();
  });

  it("waits as long as the receiver asks", async () => {
    let calls = 0;
    const { inbox } = open({
      retry: { firstDelayMs: 10 },
      deliver() {
        if (++calls === 1) throw new InboxError("ERR_INBOX_DELIVERY", "busy", { retryAfterMs: 5_000 });
      },
    });
    say(inbox, "Hello");
    await turn();
    await expectNextCallAfter(5_000, () => calls);
    await inbox.stop();
  });

  it("aborts an attempt that takes too long and goes on", async () => {
    const signals: AbortSignal[] = [];
    const { inbox, ends } = open({
      timeoutMs: 1_000,
      concurrency: 1,
      retry: { maxAttempts: 1 },
      deliver({ text }, { signal }) {
        signals.push(signal);
        return text === "stuck" ? new Promise(() => {}) : undefined;
      },
    });
    say(inbox, "stuck", "agent:main:a");
    say(inbox, "fine", "agent:main:b");
    await turn();
    expect(signals).toHaveLength(1);
    clock.advance(1_000);
    await turn();
    expect(signals[0]?.aborted).toBe(true);
    expect(ends).toMatchObject([
      { status: "dead", message: { text: "stuck" } },
      { status: "delivered", message: { text: "fine" } },
    ]);
    await inbox.stop();
  });

  it("never runs more attempts at once than `concurrency`", async () => {
    let running = 0;
    let most = 0;
    const { inbox, ends } = open({
      concurrency: 3,
      async deliver() {
        most = Math.max(most, ++running);
        await turn();
        running -= 1;
      },
    });
    for (let i = 0; i < 20; i++) say(inbox, "Hello", `agent:main:${i}`);
    while (ends.length < 20) await turn();
    expect(most).toBe(3);
    await inbox.stop();
  });

  it("makes a dead letter of a message beyond `maxPending`", async () => {
    const { inbox, ends } = open({ maxPending: 1, deliver: () => new Promise(() => {}) });
    say(inbox, "first");
    say(inbox, "second");
    expect(ends).toMatchObject([{ status: "dead", attempts: 0, message: { text: "second" } }]);
    expect(await inbox.deadLetters()).toMatchObject([{ message: { text: "second" } }]);
    await inbox.stop({ drainMs: 0 });
  });

  it("delays only the session whose message fails", async () => {
    const done: string[] = [];
    const { inbox } = open({
      retry: { firstDelayMs: 1_000 },
      deliver({ text }, { attempt }) {
        if (text === "a1" && attempt === 1) throw new Error("no");
        done.push(text);
      },
    });
    for (const text of ["a1", "a2", "b1"]) say(inbox, text, `agent:main:${text[0]}`);
    await turn();
    expect(done).toEqual(["b1"]);
    clock.advance(1_000);
    await turn();
    expect(done).toEqual(["b1", "a1", "a2"]);
    await inbox.stop();
  });

  it("keeps no order where none is asked for", async () => {
    const done: string[] = [];
    const { inbox } = open({
      ordering: "none",
      deliver({ text }, { attempt }) {
        if (text === "a1" && attempt === 1) throw new Error("no");
        done.push(text);
      },
    });
    for (const text of ["a1", "a2"]) say(inbox, text);
    await turn();
    expect(done).toEqual(["a2"]);
    clock.advance(1_000);
    await turn();
    expect(done).toEqual(["a2", "a1"]);
    await inbox.stop();
  });

  it("keeps the order within each session for any failures and durations", async () => {
    const plan = fc.array(
      fc.record({ session: fc.constantFrom("a", "b", "c"), failures: fc.nat(3), ticks: fc.nat(3) }),
      { maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(plan, fc.integer({ min: 1, max: 4 }), async (messages, concurrency) => {
        const done: string[] = [];
        const { inbox, ends } = open({
          concurrency,
          async deliver({ text }, { attempt }) {
            const { failures = 0, ticks = 0 } = messages[Number(text)] ?? {};
            for (let i = 0; i < ticks; i++) await Promise.resolve();
            if (attempt <= failures) throw new Error("no");
            done.push(text);
          },
        });
        for (const [i, { session }] of messages.entries()) say(inbox, String(i), session);
        while (ends.length < messages.length) {
          await turn();
          clock.advance(10_000);
        }
        for (const session of ["a", "b", "c"]) {
          const inOrder = [...messages.keys()].filter((i) => messages[i]?.session === session).map(String);
          expect(done.filter((text) => messages[Number(text)]?.session === session)).toEqual(inOrder);
        }
        await inbox.stop();
      }),
      { numRuns: 50 },
    );
  });
});

describe("a ledger that cannot take a message", () => {
  it("raises an alarm until the next success and delivers from memory", async () => {
    const memory = createMemoryLedger({ clock });
    let broken = true;
    const ledger: Ledger = {
      ...memory,
      take: (message) => (broken ? Promise.reject(new Error("no room")) : Promise.resolve(memory.take(message))),
    };
    const { inbox, ends } = open({ ledger });
    const alarms: (string | undefined)[] = [];
    inbox.alarms$.subscribe(({ error }) => alarms.push(error?.message));
    say(inbox, "first");
    await turn();
    expect(ends).toMatchObject([{ status: "delivered", message: { text: "first" } }]);
    expect(alarms).toEqual(["The ledger could not take a message: no room"]);
    expect(inbox.stats().unsafe).toBe(1);
    broken = false;
    say(inbox, "second");
    await turn();
    expect(alarms.slice(1)).toEqual([undefined]);
    expect(inbox.stats().unsafe).toBe(0);
    await inbox.stop();
  });

  it("is not created with a misspelt or impossible option", () => {
    expect(() => createMemoryLedger({ maxEntires: 5 } as never)).toThrow("got `maxEntires`");
    expect(() => createMemoryLedger({ retainMs: 0 })).toThrow("Expected `retainMs` to be an integer >= 1");
    expect(() => createSqliteLedger("x.db", { retain: 5 } as never)).toThrow("got `retain`");
  });
});

describe("stop", () => {
  it("waits for deliveries to finish", async () => {
    let finish = () => {};
    const { inbox, ends } = open({ deliver: () => new Promise<void>((resolve) => (finish = resolve)) });
    say(inbox, "Hello");
    await turn();
    const stopped = inbox.stop({ drainMs: 1_000 });
    await turn();
    finish();
    await stopped;
    expect(ends).toMatchObject([{ status: "delivered" }]);
    expect(inbox.stats().pending).toBe(0);
  });

  it("aborts what takes longer than drainMs and says how much is left", async () => {
    let signal: AbortSignal | undefined;
    const { inbox, ends } = open({
      deliver(_, context) {
        signal = context.signal;
        return new Promise(() => {});
      },
    });
    say(inbox, "Hello");
    await turn();
    const stopped = inbox.stop({ drainMs: 1_000 });
    for (let i = 0; i < 5; i++) await turn();
    expect(signal?.aborted).toBe(false);
    clock.advance(1_000);
    await stopped;
    expect(signal?.aborted).toBe(true);
    expect(ends).toEqual([]);
    expect(inbox.stats().pending).toBe(1);
  });

  it("is idempotent and ends the observables", async () => {
    const { inbox } = open({});
    let completed = 0;
    for (const stream of [inbox.messages$, inbox.outcomes$, inbox.deliveries$, inbox.rejections$, inbox.links$]) {
      (stream as { subscribe(observer: object): unknown }).subscribe({ complete: () => (completed += 1) });
    }
    say(inbox, "Hello");
    expect(inbox.stop()).toBe(inbox.stop());
    await inbox[Symbol.asyncDispose]();
    say(inbox, "too late");
    expect(completed).toBe(5);
    expect(inbox.stats()).toMatchObject({ dispatched: 1, afterStop: 1 });
    await expect(inbox.start()).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
  });

  it("counts the runs it ends and leaves no timer", async () => {
    const own = createTestClock();
    const inbox = createInbox({ clock: own });
    inbox.handle({ runId: "r", sessionKey: "k", seq: 1, state: "delta", deltaText: "Hel" });
    await inbox.stop();
    expect(inbox.stats()).toMatchObject({ unfinished: 1, liveRuns: 0 });
    expect(own.pending).toBe(0);
  });
});
