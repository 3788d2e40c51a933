import { describe, expect, it } from "vitest";
import { InboxError } from "../../src/errors.ts";
import { createInbox } from "../../src/inbox.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { lastingLedger, NOON, topic, until } from "./hearing.ts";
import { type Params, scriptedSource } from "./scripted-source.ts";

const SESSION = topic(1);

/** A Gateway of 2026.7: rows without run ids, histories without pages. */
function oldGateway(options: InboxOptions = {}) {
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
    { server: { version: "2026.7.35" } },
  );
  const row = (sessionKey: string, message: object) => {
    const all = rows.get(sessionKey) ?? [];
    rows.set(sessionKey, all);
    const seq = all.length + 1;
    const whole = { ...message, __openclaw: { id: `row${seq}`, recordTimestampMs: NOON + seq, seq } };
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
  const live = (sessionKey: string, message: object) =>
    source.event("session.message", { sessionKey, sessionId: "life-1", message: row(sessionKey, message) });
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

const turn = async () => {
  for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve));
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
    await turn();
    expect(old.told).toEqual([["run-1", SESSION, "Heard live."]]);
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
    await turn();
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
    await turn();
    await old.inbox.stop();
    old.row(SESSION, old.said("Between."));
    const told: string[] = [];
    await using second = createInbox({ source: old.source, ledger });
    second.messages$.subscribe(({ text }) => told.push(text));
    await second.start();
    expect(told).toEqual(["Between."]);
  });

  it("is subscribed to and heard in a main-session cron job", async () => {
    const old = oldGateway();
    await using inbox = old.inbox;
    await inbox.start();
    const key = "agent:main:cron:job-1:run:1795678000000";
    old.phase("start", "cron-run", key);
    await turn();
    expect(old.source.asked).toContainEqual(["sessions.messages.subscribe", { key }]);
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
