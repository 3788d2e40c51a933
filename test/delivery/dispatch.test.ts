import { afterEach, describe, expect, it } from "vitest";
import {
  createInbox,
  createMemoryLedger,
  type Inbox,
  InboxError,
  type InboxOptions,
  type Ledger,
  type ProactiveMessage,
} from "../../src/index.ts";
import type { LedgerEntry } from "../../src/ledger/ledger.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { messageOf } from "../helpers/message.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { turn, watchTurns } from "../helpers/turns.ts";

const inFolder = useTemporaryFolder();
const inboxes: Inbox[] = [];

afterEach(async () => {
  for (const inbox of inboxes.splice(0)) await inbox.stop({ drainMs: 0 });
});

function open(options: InboxOptions & { readonly clock?: TestClock } = {}) {
  const { clock = createTestClock() } = options;
  const lines: [object, string][] = [];
  const note = (fields: object, text: string) => void lines.push([fields, text]);
  const logger = { debug: note, info: note, warn: note, error: note };
  const inbox = createInbox({ clock, logger, random: () => 0.5, ...options });
  inboxes.push(inbox);
  return { inbox, clock, lines };
}

let count = 0;
function say(inbox: Inbox, text: string, sessionKey = "agent:main:main"): void {
  count += 1;
  inbox.handle({ runId: `run-${count}`, sessionKey, seq: 1, state: "final", message: { content: text } });
}

const taken = (id: string, fields: Partial<ProactiveMessage> = {}): LedgerEntry => ({
  message: messageOf(id, fields),
  state: "taken",
  attempts: 0,
  at: 0,
});

/** A ledger in memory that an earlier process left `entries` in. */
function leftBehind(entries: LedgerEntry[], over: Partial<Ledger> = {}): Ledger & { readonly claims: number[] } {
  const claims: number[] = [];
  return {
    ...createMemoryLedger(),
    claims,
    async claim(limit) {
      claims.push(limit);
      return entries.splice(0, limit);
    },
    ...over,
  };
}

describe("a backlog", () => {
  it("is loaded only as there is room", async () => {
    const entries = Array.from({ length: 1_000 }, (_, i) => taken(`m${i}`, { sessionKey: `session-${i % 7}` }));
    const done: string[] = [];
    let most = 0;
    const ledger = leftBehind(entries);
    const { inbox } = open({
      ledger,
      maxPending: 40,
      async deliver({ id }) {
        most = Math.max(most, inbox.stats().pending);
        await turn();
        done.push(id);
      },
    });
    await inbox.start();
    while (done.length < 1_000) await turn();
    expect(most).toBeLessThanOrEqual(20 + Math.max(...ledger.claims));
    expect(inbox.stats()).toMatchObject({ dead: 0, pending: 0, pendingBytes: 0, delivered: 1_000 });
    for (let session = 0; session < 7; session++) {
      const order = done.map((id) => Number(id.slice(1))).filter((i) => i % 7 === session);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  it("is loaded in smaller pages where texts are long", async () => {
    const text = "x".repeat(1_000_000);
    const entries = Array.from({ length: 64 }, (_, i) => taken(`m${i}`, { sessionKey: `session-${i}`, text }));
    const ledger = leftBehind(entries);
    const { inbox } = open({ ledger });
    await inbox.start();
    while (inbox.stats().delivered < 64) await turn();
    expect(ledger.claims.slice(1).every((limit) => limit <= 2)).toBe(true);
  });

  it("of 100,000 messages lets the event loop turn", async () => {
    const entries = Array.from({ length: 100_000 }, (_, i) => taken(`m${i}`, { sessionKey: `session-${i % 1_000}` }));
    let next = 0;
    const claim = async (limit: number) => {
      next += limit;
      return entries.slice(next - limit, next);
    };
    const { inbox } = open({ ledger: leftBehind([], { claim }) });
    const stop = watchTurns();
    await inbox.start();
    while (inbox.stats().delivered < 100_000) await turn();
    expect(stop()).toBeLessThan(100);
  });
});

describe("`maxPendingBytes`", () => {
  const stuck = { deliver: () => new Promise(() => {}), timeoutMs: Number.POSITIVE_INFINITY };

  it("makes a dead letter of what does not fit and counts it", async () => {
    const { inbox } = open({ ...stuck, maxPendingBytes: 20 });
    say(inbox, "12345");
    say(inbox, "12345");
    say(inbox, "1");
    expect(inbox.stats()).toMatchObject({ pending: 2, pendingBytes: 20, dead: 1, overPending: 1 });
    expect(await inbox.deadLetters()).toMatchObject([{ error: "Over `maxPendingBytes` (20)", attempts: 0 }]);
  });

  it("accepts one message that is larger", async () => {
    const { inbox } = open({ ...stuck, maxPendingBytes: 1 });
    say(inbox, "12345");
    expect(inbox.stats()).toMatchObject({ pending: 1, dead: 0 });
  });
});

describe("a message whose lease was lost during an attempt", () => {
  it("is dropped without an outcome and the next of its session is tried", async () => {
    const { inbox } = open({
      deliver({ text }) {
        if (text === "first") throw new InboxError("ERR_INBOX_LEASE", "gone");
      },
    });
    const ends: string[] = [];
    inbox.deliveries$.subscribe(({ status, message }) => ends.push(`${message.text} ${status}`));
    say(inbox, "first");
    say(inbox, "second");
    while (inbox.stats().pending > 0) await turn();
    expect(ends).toEqual(["second delivered"]);
    expect(inbox.stats()).toMatchObject({ leaseLost: 1, pending: 0, pendingBytes: 0, dead: 0, delivered: 1 });
  });
});

describe("a message whose lease was lost while it waited", () => {
  it("is not attempted again", async () => {
    const { inbox } = open({
      ledger: { ...createMemoryLedger(), holds: (id: string) => id !== firstId },
      deliver: ({ text }) => void calls.push(text),
    });
    const calls: string[] = [];
    let firstId = "";
    inbox.messages$.subscribe(({ id, text }) => {
      if (text === "first") firstId = id;
    });
    say(inbox, "first");
    say(inbox, "second");
    while (inbox.stats().pending > 0) await turn();
    expect(calls).toEqual(["second"]);
    expect(inbox.stats()).toMatchObject({ leaseLost: 1, delivered: 1 });
  });
});

describe("a host's own ledger that throws", () => {
  const broken = () => {
    throw new Error("no");
  };

  it.each(["take", "delivered", "dead", "attempted"] as const)(
    "from `%s` raises an alarm and loses no message",
    async (name) => {
      const ledger = { ...createMemoryLedger(), [name]: broken };
      let calls = 0;
      const { inbox, clock } = open({
        ledger,
        retry: { maxAttempts: 2, firstDelayMs: 10 },
        deliver() {
          calls += 1;
          if (name !== "delivered" && name !== "take") throw new Error("not now");
        },
      });
      const alarms: (string | undefined)[] = [];
      inbox.alarms$.subscribe(({ error }) => alarms.push(error?.code));
      say(inbox, "Hello");
      await turn();
      clock.advance(10);
      await turn();
      expect(alarms[0]).toBe("ERR_INBOX_LEDGER");
      expect(calls).toBe(name === "delivered" || name === "take" ? 1 : 2);
      expect(inbox.stats().pending).toBe(0);
    },
  );
});

describe("the log", () => {
  it("has the stack and the causes of what a handler threw", async () => {
    const { inbox, lines, clock } = open({
      retry: { maxAttempts: 2, firstDelayMs: 10 },
      deliver({ text }) {
        const cause = new Error("connect ECONNREFUSED");
        throw Object.assign(new Error("no\n    at all", { cause }), { config: { data: text } });
      },
    });
    say(inbox, "The secret text");
    await turn();
    clock.advance(10);
    await turn();
    const failures = lines.filter(([, text]) => text.startsWith("delivery "));
    expect(failures).toHaveLength(2);
    for (const [fields] of failures) {
      const { error, stack } = fields as { readonly error: string; readonly stack: string };
      expect(error).toBe("no\n    at all");
      expect(stack).toMatch(/^ {4}at \S*deliver .*dispatch\.test\.ts:\d+:\d+\)?\n/);
      expect(stack).toContain("\nCaused by: connect ECONNREFUSED\n    at ");
    }
    expect(JSON.stringify(lines)).not.toContain("The secret text");
  });

  it("has the stack of what `session` threw", () => {
    const { inbox, lines } = open({
      session: () => {
        throw Object.assign(new Error("no"), { config: "The secret text" });
      },
    });
    say(inbox, "Hello");
    const [fields] = lines.find(([, text]) => text === "the `session` function threw") ?? [];
    expect(fields).toMatchObject({ option: "session", error: "no", stack: expect.stringMatching(/^ {4}at session /) });
    expect(JSON.stringify(lines)).not.toContain("The secret text");
  });
});

describe("stop", () => {
  it("ends a start whose ledger does not open", async () => {
    const ledger = { ...createMemoryLedger(), open: () => new Promise<void>(() => {}) };
    const { inbox, clock } = open({ ledger });
    const started = inbox.start();
    await turn();
    await inbox.stop();
    await started;
    expect(clock.pending).toBe(0);
  });

  it("delivers nothing that is claimed later and then closes the ledger", async () => {
    const steps: string[] = [];
    const claimed = Promise.withResolvers<LedgerEntry[]>();
    const ledger = leftBehind([], {
      claim: () => claimed.promise,
      close: async () => void steps.push("closed"),
    });
    const { inbox, clock } = open({ ledger, deliver: () => void steps.push("delivered") });
    const started = inbox.start();
    await turn();
    const stopped = inbox.stop({ drainMs: 0 });
    await turn();
    expect(steps).toEqual([]);
    claimed.resolve([taken("m")]);
    await Promise.all([started, stopped]);
    await turn();
    expect(steps).toEqual(["closed"]);
    expect(clock.pending).toBe(0);
  });

  it("waits 5 s for a ledger that does not answer", async () => {
    const ledger = leftBehind([], { claim: () => new Promise(() => {}) });
    const { inbox, clock } = open({ ledger });
    void inbox.start();
    await turn();
    let isStopped = false;
    const stopped = inbox.stop({ drainMs: 0 }).then(() => (isStopped = true));
    await turn();
    clock.advance(4_999);
    await turn();
    expect(isStopped).toBe(false);
    clock.advance(1);
    await stopped;
    expect(clock.pending).toBe(0);
  });

  it.each([0, 1_000])("with drainMs %i leaves the message of a slow take to the ledger", async (drainMs) => {
    const memory = createMemoryLedger();
    const answer = Promise.withResolvers<void>();
    const ledger: Ledger = { ...memory, take: (message) => answer.promise.then(() => memory.take(message)) };
    const calls: string[] = [];
    const { inbox, clock } = open({ ledger, deliver: ({ text }) => void calls.push(text) });
    const outcomes: string[] = [];
    inbox.outcomes$.subscribe(({ status }) => outcomes.push(status));
    say(inbox, "Hello");
    const stopped = inbox.stop({ drainMs });
    await turn();
    answer.resolve();
    await stopped;
    expect(outcomes).toEqual(["dispatched"]);
    expect(calls).toEqual(drainMs === 0 ? [] : ["Hello"]);
    expect(inbox.stats().pending).toBe(drainMs === 0 ? 1 : 0);
    expect(clock.pending).toBe(0);
  });

  it("with drainMs Infinity waits for deliveries until it is called again", async () => {
    let signal: AbortSignal | undefined;
    const { inbox, clock } = open({
      timeoutMs: Number.POSITIVE_INFINITY,
      deliver(_message, context) {
        signal = context.signal;
        return new Promise(() => {});
      },
    });
    say(inbox, "Hello");
    await turn();
    let isStopped = false;
    const stopped = inbox.stop({ drainMs: Number.POSITIVE_INFINITY }).then(() => (isStopped = true));
    clock.advance(3_000_000_000);
    await turn();
    expect(isStopped).toBe(false);
    void inbox.stop({ drainMs: 1_000 });
    clock.advance(999);
    await turn();
    expect(isStopped).toBe(false);
    clock.advance(1);
    await stopped;
    expect(signal?.reason).toMatchObject({ code: "ERR_INBOX_STOPPED" });
    expect(clock.pending).toBe(0);
  });

  it("can be called by the handler", async () => {
    const calls: string[] = [];
    const { inbox, clock } = open({
      async deliver({ text }) {
        calls.push(text);
        await inbox.stop({ drainMs: 0 });
      },
    });
    for (const text of ["first", "second"]) say(inbox, text);
    await turn();
    await inbox.stop();
    expect(calls).toEqual(["first"]);
    expect(clock.pending).toBe(0);
  });

  it("leaves no timer and no message behind at any moment", async () => {
    const texts = Array.from({ length: 6 }, (_, i) => `text ${i}`);
    for (let moment = 0; moment < 24; moment++) {
      const ledger = inFolder(`moment-${moment}.db`);
      const delivered: string[] = [];
      const first = open({ ledger, deliver: () => new Promise(() => {}) });
      await first.inbox.start();
      for (const [i, text] of texts.slice(0, 4).entries()) say(first.inbox, text, `agent:main:${i % 2}`);
      while (first.inbox.stats().dispatched < 4) await turn();
      await first.inbox.stop({ drainMs: 0 });

      const second = open({
        ledger,
        retry: { firstDelayMs: 1_000 },
        async deliver({ text }, { attempt }) {
          await turn();
          if (text === "text 1" && attempt === 1) throw new Error("not now");
          if (text !== "text 2") await turn();
          delivered.push(text);
        },
      });
      const started = second.inbox.start();
      for (const [i, text] of texts.slice(4).entries()) say(second.inbox, text, `agent:main:${i % 2}`);
      for (let i = 0; i < moment; i++) await turn();
      await second.inbox.stop({ drainMs: 0 });
      await started;
      expect(second.clock.pending).toBe(0);
      const before = delivered.length;
      for (let i = 0; i < 3; i++) await turn();

      const third = open({ ledger, deliver: ({ text }) => void delivered.push(text) });
      await third.inbox.start();
      while (third.inbox.stats().pending > 0) await turn();
      await third.inbox.stop();
      expect([...new Set(delivered)].sort(), `stopped at moment ${moment}`).toEqual(texts);
      expect(delivered.slice(before).length).toBeGreaterThanOrEqual(
        texts.length - new Set(delivered.slice(0, before)).size,
      );
    }
  });
});
