import { describe, expect, it } from "vitest";
import { InboxError } from "../../src/errors.ts";
import { createInbox } from "../../src/inbox.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { lastingLedger, NOON, topic } from "./hearing.ts";
import { type Params, scriptedSource } from "./scripted-source.ts";

const SESSION = topic(1);

/** A Gateway of 2026.7: rows without run ids, histories without pages. */
function oldGateway(options: InboxOptions = {}, version = "2026.7.35") {
  const clock = createTestClock(NOON);
  const rows = new Map<string, object[]>();
  let isActive = false;
  const source = scriptedSource(
    "one",
    async (method, { sessionKey, limit = 200 }: Params) => {
      if (method === "sessions.list") {
        const sessions = [...rows].map(([key, all]) => ({
          key,
          sessionId: "life-1",
          createdAt: NOON - 1,
          updatedAt: NOON + all.length,
          hasActiveRun: isActive,
        }));
        return { ts: clock.now(), sessions };
      }
      if (method === "chat.message.get") throw new InboxError("ERR_INBOX_REQUEST", "unknown method");
      if (method !== "chat.history") return {};
      return { sessionId: "life-1", messages: (rows.get(String(sessionKey)) ?? []).slice(-(limit as number)) };
    },
    { server: { version } },
  );
  const row = (sessionKey: string, message: object, marks: object = {}) => {
    const all = rows.get(sessionKey) ?? [];
    rows.set(sessionKey, all);
    const seq = all.length + 1;
    const whole = { ...message, __openclaw: { ...marks, id: `row${seq}`, recordTimestampMs: NOON + seq, seq } };
    all.push(whole);
    return whole;
  };
  const said = (text: string, stopReason = "stop") => ({
    role: "assistant",
    content: [{ type: "text", text }],
    provider: "stub",
    model: "stub-1",
    stopReason,
  });
  const live = (sessionKey: string, message: object, marks: object = {}) =>
    source.event("session.message", { sessionKey, sessionId: "life-1", message: row(sessionKey, message, marks) });
  const phase = (name: string, runId: string, sessionKey = SESSION) =>
    source.event("sessions.changed", { sessionKey, phase: name, runId });
  const inbox = createInbox({ source, clock, ...options });
  const told: (readonly [string, string, string])[] = [];
  inbox.messages$.subscribe(({ runId, sessionKey, text }) => told.push([runId, sessionKey, text]));
  return {
    clock,
    source,
    inbox,
    told,
    row,
    said,
    live,
    phase,
    setActive: (active: boolean) => (isActive = active),
    final: (runId: string, text: string) =>
      source.event("chat", {
        runId,
        sessionKey: SESSION,
        seq: 9,
        state: "final",
        message: { role: "assistant", content: [{ type: "text", text }] },
      }),
    comeBack: async () => {
      source.comeBack();
      await until(() => inbox.links()[0]?.state === "live", "the link to be live");
    },
  };
}

const twentyTurns = async () => {
  for (let n = 0; n < 20; n += 1) await turn();
};

describe("a Gateway whose rows carry no run id", () => {
  it("is heard once, by its finals and not by their rows", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    old.phase("start", "run-1");
    old.live(SESSION, { role: "user", content: "Hello?" });
    old.live(SESSION, old.said("Heard live."));
    old.phase("end", "run-1");
    old.final("run-1", "Heard live.");
    old.clock.advance(1_000);
    await twentyTurns();
    expect(old.told).toEqual([["run-1", SESSION, "Heard live."]]);
  });

  it("knows who asked in a channel, whose run begins under another key", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    const origins: string[] = [];
    inbox.messages$.subscribe(({ origin }) => origins.push(origin));
    await inbox.start();
    old.phase("start", "run-1", "agent:main:telegram:default:direct:4242");
    old.live(SESSION, { role: "user", content: "Hello?" }, { senderIsOwner: false });
    old.source.event("chat", { runId: "run-1", sessionKey: SESSION, seq: 2, state: "delta", deltaText: "Heard" });
    old.live(SESSION, old.said("Heard live."));
    old.final("run-1", "Heard live.");
    old.phase("end", "run-1");
    old.clock.advance(1_000);
    await twentyTurns();
    expect(old.told).toEqual([["run-1", SESSION, "Heard live."]]);
    expect(origins).toEqual(["requested"]);
  });

  it("is caught up without what was heard live", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    old.row(SESSION, old.said("Before the first start."));
    await inbox.start();
    old.phase("start", "run-1");
    old.live(SESSION, old.said("Heard live."));
    old.phase("end", "run-1");
    old.final("run-1", "Heard live.");
    old.clock.advance(1_000);
    await twentyTurns();
    old.source.cut();
    for (let n = 0; n < 30; n += 1) {
      old.row(SESSION, { role: "user", content: `Question ${n}` });
      old.row(SESSION, old.said(`Missed ${n}.`));
    }
    await old.comeBack();
    expect(old.told.map(([, , text]) => text)).toEqual([
      "Heard live.",
      ...Array.from({ length: 30 }, (_, n) => `Missed ${n}.`),
    ]);
    await old.comeBack();
    expect(old.told).toHaveLength(31);
  });

  it.each([
    ["not again what the Gateway repeats", "Said once.", []],
    ["what a program says", "Said by a program.", ["Said by a program."]],
  ])("hands over after a restart %s", async (_, words, told) => {
    const ledger = lastingLedger(createTestClock(NOON));
    const old = oldGateway({ ledger }, "2026.5.28");
    old.row(SESSION, { role: "user", content: "Hello?" });
    await old.inbox.start();
    old.phase("start", "run-1");
    old.live(SESSION, old.said("Said once."));
    old.final("run-1", "Said once.");
    old.phase("end", "run-1");
    old.clock.advance(1_000);
    await twentyTurns();
    await old.inbox.stop({ drainMs: 0 });
    expect(old.told.map(([, , text]) => text)).toEqual(["Said once."]);
    // When something is injected right after a run, it writes the run's text again.
    old.row(SESSION, { role: "assistant", content: [{ type: "text", text: "A note." }], model: "gateway-injected" });
    old.row(SESSION, { ...old.said(words), api: "cli" });
    await using next = createInbox({ source: old.source, clock: old.clock, ledger });
    const again: string[] = [];
    next.messages$.subscribe(({ text }) => again.push(text));
    await next.start();
    await until(() => next.links()[0]?.state === "live", "the link to be live");
    expect(again).toEqual(["A note.", ...told]);
  });

  it("ends a run that was cut off under its own id", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    old.row(SESSION, { role: "user", content: "Hello?" });
    await inbox.start();
    old.source.event("chat", { runId: "run-1", sessionKey: SESSION, seq: 3, state: "delta", deltaText: "Half of " });
    expect(inbox.runs()).toHaveLength(1);
    old.source.cut();
    old.row(SESSION, old.said("Half of it, and the rest."));
    await old.comeBack();
    expect(old.told).toEqual([["run-1", SESSION, "Half of it, and the rest."]]);
    expect(inbox.runs()).toEqual([]);
  });

  it("has the texts around a tool call joined as in its finals", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    old.row(SESSION, { role: "user", content: "Hello?" });
    await inbox.start();
    old.source.cut();
    old.row(SESSION, { role: "user", content: "Look." });
    old.row(SESSION, old.said("Let me look first.", "toolUse"));
    old.row(SESSION, { role: "toolResult", content: [] });
    old.row(SESSION, old.said("Nothing unusual there."));
    await old.comeBack();
    expect(old.told.map(([, , text]) => text)).toEqual(["Let me look first.Nothing unusual there."]);
  });

  it("has what a client asked for marked so, when it is caught up", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    const origins: string[] = [];
    inbox.messages$.subscribe(({ origin }) => origins.push(origin));
    await inbox.start();
    old.source.cut();
    old.row(SESSION, { role: "user", content: "Hello?", idempotencyKey: "send-1:user" });
    old.row(SESSION, old.said("Hello."));
    old.row(SESSION, old.said("And by the way."));
    await old.comeBack();
    expect(origins).toEqual(["requested", "unknown"]);
  });

  it("hands over once after a restart what was said between", async () => {
    const clock = createTestClock(NOON);
    const ledger = lastingLedger(clock);
    const old = oldGateway({ ledger });
    old.row(SESSION, old.said("Before."));
    await old.inbox.start();
    old.phase("start", "run-1");
    old.live(SESSION, old.said("Heard live."));
    old.final("run-1", "Heard live.");
    old.phase("end", "run-1");
    await twentyTurns();
    await old.inbox.stop();
    old.row(SESSION, old.said("Between."));
    const told: string[] = [];
    await using second = createInbox({ source: old.source, ledger });
    second.messages$.subscribe(({ text }) => told.push(text));
    await second.start();
    expect(told).toEqual(["Between."]);
  });

  it("is caught up with the words of the run before", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    old.row(SESSION, old.said("Before the first start."));
    await inbox.start();
    old.phase("start", "run-1");
    old.live(SESSION, { role: "user", content: "Report." });
    old.live(SESSION, old.said("All is well."));
    old.final("run-1", "All is well.");
    old.phase("end", "run-1");
    old.clock.advance(30_000);
    await twentyTurns();
    old.source.cut();
    old.clock.advance(30_000);
    old.row(SESSION, { role: "user", content: "Report." });
    old.row(SESSION, old.said("All is well."));
    await old.comeBack();
    old.clock.advance(5_000);
    await twentyTurns();
    expect(old.told.map(([, , text]) => text)).toEqual(["All is well.", "All is well."]);
  });

  it.each([
    ["before", (live: () => void, final: () => void) => [live, final]],
    ["after", (live: () => void, final: () => void) => [final, live]],
  ])("is not heard again after a crash at once, its row %s its final", async (_, order) => {
    const clock = createTestClock(NOON);
    const lasting = lastingLedger(clock);
    let isAlive = true;
    const ledger: Ledger = { ...lasting, setCursor: (...args) => (isAlive ? lasting.setCursor(...args) : undefined) };
    const old = oldGateway({ ledger });
    old.row(SESSION, old.said("Before."));
    await old.inbox.start();
    isAlive = false;
    const live = () => {
      old.phase("start", "run-1");
      old.live(SESSION, { role: "user", content: "Look." });
      old.live(SESSION, old.said("Let me look.", "toolUse"));
      old.live(SESSION, old.said("Nothing."));
    };
    for (const step of order(live, () => old.final("run-1", "Let me look.Nothing."))) step();
    old.phase("end", "run-1");
    await twentyTurns();
    expect(old.told).toEqual([["run-1", SESSION, "Let me look.Nothing."]]);
    await old.inbox.stop();
    isAlive = true;
    const told: string[] = [];
    await using second = createInbox({ source: old.source, ledger });
    second.messages$.subscribe(({ text }) => told.push(text));
    old.row(SESSION, { role: "user", content: "And?" });
    old.row(SESSION, old.said("Between."));
    await second.start();
    expect(told).toEqual(["Between."]);
  });

  it("is subscribed to and heard in a main-session cron job", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    const key = "agent:main:cron:job-1:run:1795678000000";
    old.phase("start", "cron-run", key);
    await twentyTurns();
    expect(old.source.asked).toContainEqual(["sessions.messages.subscribe", { key }]);
  });

  describe("with a main-session cron job, whose session is not listed", () => {
    const runAt = NOON + 60_000;
    const key = `agent:main:cron:job-1:run:${runAt}`;
    const entry = (at: number) => ({
      ts: at + 8,
      action: "finished",
      runAtMs: at,
      sessionKey: key.replace(`${runAt}`, `${at}`),
    });

    /** The job has run at these times; of each run, the text is its time. */
    function jobs(old: ReturnType<typeof oldGateway>, ...times: readonly number[]) {
      const all = times.map(entry).reverse();
      old.source.respond("cron.runs", ({ offset = 0, limit = 50 }) => {
        const end = Number(offset) + Number(limit);
        return { entries: all.slice(Number(offset), end), hasMore: end < all.length, nextOffset: end };
      });
      old.source.respond("sessions.list", () => ({ ts: old.clock.now(), sessions: [] }));
      old.source.respond("chat.history", ({ sessionKey }) => {
        const at = Number(String(sessionKey).split(":").at(-1));
        const mark = { id: `row-${at}`, recordTimestampMs: at + 1_000, seq: 2 };
        return { sessionId: `life-${at}`, messages: [{ ...old.said(`At ${at}.`), __openclaw: mark }] };
      });
    }

    it("is caught up, once", async () => {
      const old = oldGateway();
      await using inbox = old.inbox;
      jobs(old, NOON - 5_000);
      await inbox.start();
      old.source.cut();
      jobs(old, NOON - 5_000, runAt);
      old.clock.advance(120_000);
      await old.comeBack();
      expect(old.told.map(([, ...told]) => told)).toEqual([[key, `At ${runAt}.`]]);
      await old.comeBack();
      expect(old.told).toHaveLength(1);
      // The second time there is nothing new to read.
      expect(
        old.source.asked.filter(([method, params]) => method === "chat.history" && params["sessionKey"] === key),
      ).toHaveLength(1);
    });

    it("is not caught up where it was heard live", async () => {
      const old = oldGateway();
      await using inbox = old.inbox;
      jobs(old);
      await inbox.start();
      old.clock.advance(60_000);
      old.phase("start", "run-1", key);
      const mark = { id: `row-${runAt}`, seq: 2 };
      old.source.event("session.message", {
        sessionKey: key,
        message: { ...old.said(`At ${runAt}.`), __openclaw: mark },
      });
      const message = { role: "assistant", content: [{ type: "text", text: `At ${runAt}.` }] };
      old.source.event("chat", { runId: "run-1", sessionKey: key, seq: 7, state: "final", message });
      old.phase("end", "run-1", key);
      await twentyTurns();
      old.source.cut();
      jobs(old, runAt);
      old.clock.advance(120_000);
      await old.comeBack();
      expect(old.told).toEqual([["run-1", key, `At ${runAt}.`]]);
    });

    it("is caught up after a restart, with more runs than one page has", async () => {
      const clock = createTestClock(NOON);
      const ledger = lastingLedger(clock);
      const old = oldGateway({ ledger });
      jobs(old);
      await old.inbox.start();
      await old.inbox.stop();
      const times = Array.from({ length: 250 }, (_, n) => NOON + 1_000 * (n + 1));
      jobs(old, ...times);
      old.clock.advance(600_000);
      const told: string[] = [];
      await using second = createInbox({ source: old.source, ledger, clock: old.clock });
      second.messages$.subscribe(({ text }) => told.push(text));
      await second.start();
      expect(told.sort()).toEqual(times.map((at) => `At ${at}.`).sort());
    });

    it("is looked for no further back than a run can take", async () => {
      const old = oldGateway();
      await using inbox = old.inbox;
      jobs(old, ...Array.from({ length: 5_000 }, (_, n) => NOON - 500_000_000 + 60_000 * n));
      await inbox.start();
      await old.comeBack();
      expect(old.source.asked.filter(([method]) => method === "cron.runs").length).toBeLessThanOrEqual(2);
      expect(old.told).toEqual([]);
    });

    it("is let be where the Gateway does not know the question", async () => {
      const old = oldGateway();
      await using inbox = old.inbox;
      await inbox.start();
      old.source.respond("cron.runs", () => {
        throw new InboxError("ERR_INBOX_REQUEST", "unknown", { gatewayCode: "INVALID_REQUEST" });
      });
      await old.comeBack();
      const asked = () => old.source.asked.filter(([method]) => method === "cron.runs").length;
      expect(asked()).toBe(1);
      for (let minute = 0; minute < 3; minute += 1) {
        old.clock.advance(60_000);
        await twentyTurns();
      }
      expect(asked()).toBe(1);
    });

    it("is asked for again where the Gateway was in trouble", async () => {
      const old = oldGateway();
      await using inbox = old.inbox;
      jobs(old);
      await inbox.start();
      old.source.cut();
      jobs(old, runAt);
      old.source.respond("cron.runs", () => {
        throw new InboxError("ERR_INBOX_REQUEST", "disk", { gatewayCode: "INTERNAL" });
      });
      await old.comeBack();
      expect(old.told).toEqual([]);
      jobs(old, runAt);
      old.clock.advance(60_000);
      await until(() => old.told.length === 1, "the text");
    });

    it("is not asked for where it runs in the main session", async () => {
      const old = oldGateway({}, "2026.9.6");
      await using inbox = old.inbox;
      await inbox.start();
      await old.comeBack();
      expect(old.source.asked.map(([method]) => method)).not.toContain("cron.runs");
    });
  });

  it("has a cut text completed that carries no mark", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    const whole = "x".repeat(9_000);
    old.source.respond("chat.history", ({ maxChars }) => ({
      sessionId: "life-1",
      messages: [
        {
          ...old.said(maxChars === undefined ? `${whole.slice(0, 8_000)}\n...(truncated)...` : whole),
          __openclaw: { id: "row1", seq: 1 },
        },
      ],
    }));
    old.source.respond("sessions.list", () => ({ ts: NOON, sessions: [{ key: SESSION, updatedAt: NOON + 5 }] }));
    await old.comeBack();
    expect(old.told.map(([, , text]) => text)).toEqual([whole]);
  });
});
