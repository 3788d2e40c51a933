import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import type { InboxOptions } from "../../src/options.ts";
import { createFakeGateway, createTestClock, type TestClock } from "../../src/testing/index.ts";
import { until } from "../helpers/turns.ts";
import { heard, lastingLedger, listen, NOON, topic } from "./hearing.ts";
import { scriptedSource } from "./scripted-source.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** A clock whose hands can be set, while its timers count what has passed. */
interface SetClock extends TestClock {
  set(byMs: number): void;
}

function setClock(): SetClock {
  const clock = createTestClock(NOON);
  let byMs = 0;
  return {
    ...clock,
    now: () => clock.now() + byMs,
    set: (ms) => (byMs += ms),
    get pending() {
      return clock.pending;
    },
  };
}

async function open(options: InboxOptions = {}) {
  const host = setClock();
  const theirs = setClock();
  const gateway = await createFakeGateway({ clock: theirs });
  const listening = await listen({ gateway, clock: host }, options);
  /** Time goes by for both. */
  const pass = (ms: number) => {
    host.advance(ms);
    theirs.advance(ms);
  };
  return { host, theirs, gateway, pass, ...listening, hearing: listening };
}

describe("a Gateway's clock", () => {
  it.each([
    ["back by an hour", -HOUR_MS],
    ["back by 20 seconds", -20_000],
    ["forth by a day", 24 * HOUR_MS],
  ])("that is set %s while we are away loses nothing", async (_, byMs) => {
    const { gateway, theirs, pass, source, comeBack, told, hearing } = await open();
    gateway.say("Before.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    pass(10 * MINUTE_MS);
    await source.cut();
    theirs.set(byMs);
    pass(1_000);
    gateway.say("In a session that was heard.", { sessionKey: topic(1) });
    gateway.say("In a new session.", { sessionKey: topic(2) });
    await comeBack();
    expect([...told()].sort()).toEqual([
      [topic(1), "Before."],
      [topic(1), "In a session that was heard."],
      [topic(2), "In a new session."],
    ]);
    await gateway.close();
  });

  it("that was far ahead once loses nothing later", async () => {
    const { gateway, theirs, pass, source, comeBack, told, hearing } = await open();
    theirs.set(365 * 24 * HOUR_MS);
    gateway.say("From the future.", { sessionKey: topic(1) });
    gateway.emit("tick", { ts: theirs.now() });
    await hearing.toldOf(1);
    pass(10_000);
    theirs.set(-365 * 24 * HOUR_MS);
    await source.cut();
    pass(MINUTE_MS);
    gateway.say("From now.", { sessionKey: topic(1) });
    gateway.say("From now, too.", { sessionKey: topic(2) });
    await comeBack();
    expect(
      told()
        .map(([, text]) => text)
        .sort(),
    ).toEqual(["From now, too.", "From now.", "From the future."]);
    await gateway.close();
  });

  it("that is set back tells new from old in a session never heard", async () => {
    const host = setClock();
    const theirs = setClock();
    const gateway = await createFakeGateway({ clock: theirs });
    gateway.say("Long before the first start.", { sessionKey: topic(1) });
    theirs.advance(HOUR_MS);
    host.advance(HOUR_MS);
    const hearing = await listen({ gateway, clock: host });
    await hearing.source.cut();
    theirs.set(-2 * HOUR_MS);
    gateway.say("While away.", { sessionKey: topic(1) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "While away."]]);
    await gateway.close();
  });
});

describe("a host's clock", () => {
  it("that was wrong at the hello repeats nothing after a restart", async () => {
    const host = setClock();
    const theirs = setClock();
    const gateway = await createFakeGateway({ clock: theirs });
    const ledger = lastingLedger(host);
    host.set(-2 * MINUTE_MS);
    const first = await listen({ gateway, clock: host }, { ledger });
    host.set(2 * MINUTE_MS);
    for (let hour = 0; hour < 25; hour += 1) {
      gateway.say(`Hour ${hour}.`, { sessionKey: topic(1) });
      gateway.emit("tick", { ts: theirs.now() });
      await heard(gateway, first);
      host.advance(HOUR_MS);
      theirs.advance(HOUR_MS);
    }
    expect(first.messages).toHaveLength(25);
    await first.inbox.stop();
    const second = await listen({ gateway, clock: host }, { ledger });
    await heard(gateway, second);
    expect(second.messages).toEqual([]);
    await gateway.close();
  });

  it("that goes a day ahead repeats nothing at a reconnect", async () => {
    const { gateway, host, pass, source, comeBack, told, hearing } = await open();
    gateway.say("Once.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    pass(2_000);
    await heard(gateway, hearing);
    host.set(25 * HOUR_MS);
    await source.cut();
    await comeBack();
    await source.cut();
    await comeBack();
    expect(told()).toEqual([[topic(1), "Once."]]);
    await gateway.close();
  });

  it("that is set back by an hour delays no row", async () => {
    const { gateway, host, pass, told, hearing } = await open();
    gateway.say("Only its row is heard.", { sessionKey: topic(1), origin: "wake" });
    await heard(gateway, hearing);
    host.set(-HOUR_MS);
    pass(1_000);
    await hearing.toldOf(1);
    gateway.say("And the next.", { sessionKey: topic(2), origin: "wake" });
    await heard(gateway, hearing);
    pass(1_000);
    await hearing.toldOf(2);
    expect(told()).toHaveLength(2);
    await gateway.close();
  });
});

describe("a session of the global scope", () => {
  it("is listed, subscribed to and read for each agent", async () => {
    const clock = createTestClock(NOON);
    let updatedAt = NOON;
    const source = scriptedSource("one", (method, { agentId, includeGlobal }) => {
      if (method === "sessions.list") {
        const sessions = ["main", "other"].map((id) => ({
          key: "global",
          agentId: id,
          createdAt: NOON - 1,
          updatedAt,
        }));
        return { ts: clock.now(), sessions: includeGlobal === true ? sessions : [] };
      }
      if (method !== "chat.history") return {};
      const mark = { runId: `run of ${agentId}`, id: `row of ${agentId}`, recordTimestampMs: NOON + 5, seq: 1 };
      const content = [{ type: "text", text: `Words of ${agentId}` }];
      return { messages: [{ role: "assistant", content, stopReason: "stop", __openclaw: mark }], hasMore: false };
    });
    await using inbox = createInbox({ source, clock });
    const told: (readonly [string, string])[] = [];
    inbox.messages$.subscribe(({ sessionKey, text }) => told.push([sessionKey, text]));
    await inbox.start();
    for (const agentId of ["main", "other"]) {
      expect(source.asked).toContainEqual(["sessions.messages.subscribe", { key: "global", agentId }]);
    }
    updatedAt = NOON + 6;
    source.comeBack();
    await until(() => told.length === 2, "both");
    expect(told).toEqual([
      ["global", "Words of main"],
      ["global", "Words of other"],
    ]);
  });
});
