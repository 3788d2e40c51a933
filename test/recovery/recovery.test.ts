import { describe, expect, it } from "vitest";
import { collavre } from "../../src/collavre.ts";
import { GatewayRefusal } from "../../src/testing/index.ts";
import { asked, heard, lastingLedger, listen, NOON, openGateway, topic, until } from "./hearing.ts";

const MAIN = "agent:main:main";
const text = (words: string) => [{ type: "text", text: words }];
const HOUR_MS = 3_600_000;

describe("a listener that was cut off", () => {
  it("continues a run that goes on", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake);
    const run = fake.gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("One, ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await hearing.source.cut();
    run.delta("two, ");
    await hearing.comeBack();
    expect(hearing.inbox.runs()).toMatchObject([{ runId: "run-1", text: "One, two, ", startedAt: NOON }]);
    run.delta("three.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "One, two, three."]]);
    expect(hearing.messages[0]).toMatchObject({ recovered: false, late: false });
  });

  it("takes no row for the end of a run that goes on", async () => {
    const fake = await openGateway();
    const { gateway } = fake;
    const hearing = await listen(fake);
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("First this, ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await hearing.source.cut();
    fake.clock.advance(1_000);
    const soFar = { role: "assistant", content: text("First this,"), stopReason: "stop" };
    gateway.transcripts.add(topic(1), soFar, { runId: "run-1" });
    await hearing.comeBack();
    expect(hearing.outcomes).toEqual([]);
    run.delta("then that.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "First this, then that."]]);
  });

  it("finishes a run that ended meanwhile", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake);
    const run = fake.gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("One, ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await hearing.source.cut();
    fake.clock.advance(1_000);
    run.delta("two.");
    run.final();
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "One, two."]]);
    expect(hearing.messages[0]).toMatchObject({ runId: "run-1", recovered: true, startedAt: NOON });
    expect(hearing.inbox.stats()).toMatchObject({ recovered: 1, liveRuns: 0 });
  });

  it("hears runs of every session that began and ended meanwhile", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    for (const key of [MAIN, topic(1)]) gateway.transcripts.session(key);
    gateway.say("Heard before.", { sessionKey: topic(1) });
    clock.advance(60_000);
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("In the old one.", { sessionKey: topic(1) });
    gateway.say("Hidden.", { sessionKey: MAIN, origin: "heartbeat" });
    gateway.say("In a new one.", { sessionKey: topic(2), origin: "cron" });
    gateway.say("Injected.", { sessionKey: topic(3), origin: "inject", runId: "m-1" });
    gateway.say("A reminder.", { sessionKey: topic(4), origin: "cron-current", jobId: "job-1" });
    gateway.say("Isolated.", { origin: "cron-isolated", jobId: "job-2" });
    await hearing.comeBack();
    const told = new Map(hearing.told());
    expect(told.get(topic(1))).toBe("In the old one.");
    expect(told.get(MAIN)).toBe("Hidden.");
    expect(told.get(topic(2))).toBe("In a new one.");
    expect(told.get(topic(3))).toBe("Injected.");
    expect(told.get(topic(4))).toBe("A reminder.");
    const isolated = hearing.messages.filter(({ sessionKey }) => sessionKey.includes(":cron:"));
    expect(isolated.map((message) => message.text)).toEqual(["Isolated."]);
    for (const { sessionKey } of isolated) expect(sessionKey).toMatch(/^agent:main:cron:job-\d:run:[0-9a-f-]+$/);
    expect(hearing.messages).toHaveLength(6);
    expect(hearing.messages.every(({ recovered }) => recovered)).toBe(true);
    expect(hearing.inbox.stats()).toMatchObject({ recovered: 7, recoveryPending: 0 });
  });

  it("reads the origin from the history", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake);
    await hearing.source.cut();
    fake.clock.advance(1_000);
    fake.gateway.say("Asked.", { sessionKey: topic(1), origin: "send" });
    fake.gateway.say("By the clock.", { sessionKey: topic(2), origin: "cron" });
    fake.gateway.say("Injected.", { sessionKey: topic(3), origin: "inject" });
    fake.gateway.say("Bound.", { sessionKey: topic(4), origin: "cron-current" });
    await hearing.comeBack();
    const origins = new Map(hearing.messages.map(({ sessionKey, origin }) => [sessionKey, origin]));
    expect([1, 2, 3, 4].map((id) => origins.get(topic(id)))).toEqual(["requested", "cron", "injected", "cron"]);
  });

  it("reads failed and aborted runs as such", async () => {
    const fake = await openGateway();
    const { gateway } = fake;
    const hearing = await listen(fake);
    const failing = gateway.run({ sessionKey: topic(1), runId: "fails" });
    const stopped = gateway.run({ sessionKey: topic(2), runId: "stops" });
    failing.delta("I ");
    stopped.delta("You ");
    await until(() => hearing.inbox.runs().length === 2, "the runs");
    await hearing.source.cut();
    fake.clock.advance(1_000);
    failing.error({ message: "The model is gone." });
    stopped.delta("and I");
    stopped.abort();
    const notice = { role: "user", content: "Restarted.", provenance: { sourceTool: "main_session_restart_recovery" } };
    gateway.transcripts.add(topic(3), notice);
    await hearing.comeBack();
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toHaveLength(2);
    expect(hearing.outcomes).toContainEqual(
      expect.objectContaining({ status: "errored", runId: "fails", error: "The model is gone.", text: "I " }),
    );
    expect(hearing.outcomes).toContainEqual(
      expect.objectContaining({ status: "aborted", runId: "stops", text: "You and I" }),
    );
  });

  it("joins the texts of a run around its tool call", async () => {
    const fake = await openGateway();
    const { gateway } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    fake.clock.advance(1_000);
    const long = "word ".repeat(3_000).trimEnd();
    const parts = [
      { content: text(`${long}\n`), openclawStreamFallback: { source: "segment" } },
      { content: [{ type: "toolCall" }], stopReason: "toolUse" },
      { content: text("And that is all."), stopReason: "stop" },
    ];
    for (const part of parts) gateway.transcripts.add(topic(1), { role: "assistant", ...part }, { runId: "run-1" });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), `${long}\n\nAnd that is all.`]]);
  });

  it("reads a hidden run that was cut off in its tool call", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    gateway.transcripts.session(MAIN);
    const hearing = await listen(fake);
    const said = { role: "assistant", content: text("Let me look."), openclawStreamFallback: { source: "segment" } };
    const call = { role: "assistant", content: [{ type: "toolCall" }], stopReason: "toolUse" };
    for (const row of [said, call]) {
      const { row: message } = gateway.transcripts.add(MAIN, row, { runId: "hidden" });
      gateway.emit("session.message", { sessionKey: MAIN, message });
    }
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(6_000);
    gateway.transcripts.add(
      MAIN,
      { role: "assistant", content: text("Nothing there."), stopReason: "stop" },
      { runId: "hidden" },
    );
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[MAIN, "Let me look.\n\nNothing there."]]);
  });

  it("reads no history of what it heard to its end", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake);
    fake.clock.advance(1_000);
    fake.gateway.say("Told just now.", { sessionKey: topic(1) });
    fake.gateway.say("Failed just now.", { sessionKey: topic(2), end: "error" });
    await until(() => hearing.outcomes.length === 2, "both ends");
    await hearing.source.cut();
    await hearing.comeBack();
    expect(asked(fake.gateway, "chat.history")).toEqual([]);
    expect(hearing.outcomes).toHaveLength(2);
    expect(hearing.inbox.stats()).toMatchObject({ recovered: 0, afterEnd: 0, alreadyTaken: 0 });
  });

  it("hands nothing over twice", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake, { settledWindowMs: 1 });
    fake.gateway.say("Told already.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    fake.clock.advance(5_000);
    for (let cut = 0; cut < 3; cut += 1) {
      await hearing.source.cut();
      await hearing.comeBack();
    }
    expect(hearing.told()).toEqual([[topic(1), "Told already."]]);
    expect(hearing.inbox.stats().alreadyTaken).toBeGreaterThan(0);
  });

  it("reads a session back to the row it heard last", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    for (let row = 0; row < 60; row += 1) gateway.say(`Heard ${row}.`, { sessionKey: topic(1) });
    await hearing.toldOf(60);
    const away = async (words: string, during = () => {}) => {
      await hearing.source.cut();
      clock.advance(60_000);
      gateway.say(words, { sessionKey: topic(1) });
      during();
      const before = asked(gateway, "chat.history").length;
      await hearing.comeBack();
      return asked(gateway, "chat.history").length - before;
    };
    expect(await away("First.")).toBe(1);
    expect(await away("Second.")).toBe(1);
    expect(hearing.told().slice(60)).toEqual([
      [topic(1), "First."],
      [topic(1), "Second."],
    ]);
    expect(hearing.inbox.stats().alreadyTaken).toBe(0);
  });

  it("reads as many rows as `maxHistoryRows` allows", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake, { maxHistoryRows: 100 });
    await hearing.source.cut();
    for (let row = 0; row < 130; row += 1) {
      clock.advance(1_000);
      gateway.transcripts.add(topic(1), { role: "assistant", content: text(`Row ${row}`) }, { runId: `run-${row}` });
    }
    await hearing.comeBack();
    expect(hearing.told().map(([, words]) => words)).toEqual(
      Array.from({ length: 100 }, (_, row) => `Row ${row + 30}`),
    );
  });

  it("reads only sessions with something new", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    for (let id = 0; id < 1_000; id += 1) gateway.transcripts.session(topic(id));
    clock.advance(2 * HOUR_MS);
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("The one.", { sessionKey: topic(500) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(500), "The one."]]);
    expect(asked(gateway, "chat.history").map(({ sessionKey }) => sessionKey)).toEqual([topic(500)]);
    expect(hearing.inbox.stats().sessions).toBe(1_000);
  });

  it("discards what is not ours or was solicited", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake, { session: collavre });
    hearing.inbox.solicit("mine");
    await hearing.source.cut();
    fake.clock.advance(1_000);
    fake.gateway.say("For somebody else.", { sessionKey: MAIN });
    fake.gateway.say("Asked by us.", { sessionKey: topic(1), runId: "mine" });
    fake.gateway.say("Of a helper.", { sessionKey: topic(1), origin: "subagent" });
    await hearing.comeBack();
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toMatchObject([{ status: "discarded", reason: "solicited", runId: "mine" }]);
  });
});

describe("a run that nobody ends", () => {
  it("expires after one look at its history", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake, { ttlMs: 600_000 });
    const lost = gateway.run({ sessionKey: topic(1), runId: "lost" });
    lost.delta("I was about to");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await gateway.restart({ crash: true });
    clock.advance(10_000);
    gateway.say("I was about to say this.", { sessionKey: topic(1), runId: "successor" });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "I was about to say this."]]);
    expect(hearing.inbox.runs()).toMatchObject([{ runId: "lost" }]);
    const before = asked(gateway, "chat.history").length;
    for (let minute = 0; minute < 12; minute += 1) {
      clock.advance(60_000);
      await heard(gateway, hearing);
    }
    expect(asked(gateway, "chat.history").length - before).toBe(1);
    expect(hearing.outcomes.map(({ status }) => status)).toEqual(["dispatched", "expired"]);
    expect(hearing.messages).toHaveLength(1);
  });

  it("ends when its history says so before the TTL", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake, { ttlMs: 600_000 });
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("Nobody heard ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    // Its final is lost on the way, although the connection lives.
    gateway.transcripts.add(
      topic(1),
      { role: "assistant", content: text("Nobody heard the end.") },
      { runId: "run-1" },
    );
    gateway.transcripts.ended(topic(1), "run-1", "done");
    for (let minute = 0; minute < 10 && hearing.messages.length === 0; minute += 1) {
      clock.advance(59_999);
      await heard(gateway, hearing);
    }
    expect(hearing.told()).toEqual([[topic(1), "Nobody heard the end."]]);
    expect(hearing.messages[0]).toMatchObject({ recovered: true, late: false });
    expect(hearing.inbox.stats().expired).toBe(0);
  });
});

describe("an inbox that starts", () => {
  it("hands over nothing from before its first start", async () => {
    const fake = await openGateway();
    fake.gateway.say("Long ago.", { sessionKey: topic(1) });
    const hearing = await listen(fake, { ledger: lastingLedger(fake.clock) });
    await heard(fake.gateway, hearing);
    expect(hearing.outcomes).toEqual([]);
    expect(asked(fake.gateway, "chat.history")).toEqual([]);
    await hearing.source.cut();
    await hearing.comeBack();
    await heard(fake.gateway, hearing);
    expect(hearing.outcomes).toEqual([]);
  });

  it("catches up when its first round was cut off", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    gateway.say("Long ago.", { sessionKey: topic(1) });
    clock.advance(60_000);
    // It is cut off in the middle of its first round: the subscription is never answered.
    gateway.respond("sessions.messages.subscribe", () => new Promise(() => {}));
    const hearing = await listen(fake, {}, { start: false });
    const asking = gateway.nextRequest("sessions.list");
    void hearing.inbox.start();
    await asking;
    await until(() => asked(gateway, "sessions.messages.subscribe").length > 0, "the first round to begin");
    await hearing.source.cut();
    gateway.respond("sessions.messages.subscribe", () => ({ subscribed: true }));
    clock.advance(1_000);
    gateway.say("Just now.", { sessionKey: topic(1) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "Just now."]]);
  });

  it("joins a run that was going on at its first start", async () => {
    const fake = await openGateway();
    const run = fake.gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("Already ");
    const hearing = await listen(fake);
    expect(hearing.inbox.runs()).toMatchObject([{ runId: "run-1", sessionKey: topic(1), text: "Already " }]);
    run.delta("speaking.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Already speaking."]]);
  });

  it("catches up after a restart with its ledger", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock);
    const first = await listen(fake, { ledger });
    gateway.say("Told by the first.", { sessionKey: topic(1) });
    const run = gateway.run({ sessionKey: topic(2), runId: "cut-in-two" });
    run.delta("Begun before, ");
    await first.toldOf(1);
    await first.inbox.stop();
    clock.advance(20 * 60_000);
    run.delta("ended between.");
    run.final();
    gateway.say("Said between.", { sessionKey: topic(3), origin: "wake" });
    clock.advance(20 * 60_000);

    const second = await listen(fake, { ledger });
    expect([...second.told()].sort()).toEqual([
      [topic(2), "Begun before, ended between."],
      [topic(3), "Said between."],
    ]);
    expect(second.messages.every(({ recovered }) => recovered)).toBe(true);
    await second.inbox.stop();
    const third = await listen(fake, { ledger });
    await heard(gateway, third);
    expect(third.messages).toEqual([]);
  });

  it("hands over what was pending when it was stopped", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock);
    const first = await listen(fake, { ledger });
    clock.advance(60_000);
    gateway.say("Only a row so far.", { sessionKey: topic(1), origin: "wake" });
    await heard(gateway, first);
    clock.advance(900);
    gateway.emit("tick", { ts: clock.now() });
    await heard(gateway, first);
    await first.inbox.stop();
    expect(first.messages).toEqual([]);
    const second = await listen(fake, { ledger });
    expect(second.told()).toEqual([[topic(1), "Only a row so far."]]);
  });

  it("reports no failure twice", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock);
    const first = await listen(fake, { ledger });
    clock.advance(1_000);
    gateway.say("Oh.", { sessionKey: topic(1), end: "error" });
    gateway.emit("tick", { ts: clock.now() });
    await until(() => first.outcomes.length === 1, "the failure");
    await heard(gateway, first);
    await first.inbox.stop();
    const second = await listen(fake, { ledger });
    await heard(gateway, second);
    expect(second.outcomes).toEqual([]);
  });

  it("repeats nothing that its ledger has forgotten", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock, HOUR_MS);
    const first = await listen(fake, { ledger, retainMs: HOUR_MS });
    clock.advance(60_000);
    gateway.say("Told and forgotten.", { sessionKey: topic(1) });
    await first.toldOf(1);
    gateway.emit("tick", { ts: clock.now() });
    await heard(gateway, first);
    await first.inbox.stop();
    clock.advance(2 * HOUR_MS);
    gateway.say("New.", { sessionKey: topic(1) });
    const second = await listen(fake, { ledger, retainMs: HOUR_MS });
    expect(second.told()).toEqual([[topic(1), "New."]]);
  });

  it("ignores an unreadable entry of its ledger", async () => {
    const fake = await openGateway();
    fake.gateway.say("Long ago.", { sessionKey: topic(1) });
    for (const kept of ["", "{", "null", '{"from":"x","heard":-1}', '{"from":1e99}']) {
      const ledger = lastingLedger(fake.clock);
      ledger.setCursor("heard one", kept);
      const hearing = await listen(fake, { ledger });
      expect(hearing.messages, kept).toEqual([]);
    }
  });
});

describe("a Gateway that is in trouble", () => {
  it("is asked again when it is busy", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Missed.", { sessionKey: topic(1) });
    let refused = 0;
    gateway.respond("sessions.list", () => {
      refused += 1;
      if (refused < 3)
        throw new GatewayRefusal({ code: "UNAVAILABLE", message: "The server is busy", retryable: true });
      return { ts: clock.now(), sessions: [{ key: topic(1), updatedAt: clock.now() }] };
    });
    const back = hearing.comeBack();
    await until(() => refused === 1, "the first refusal");
    await heard(gateway, hearing);
    clock.advance(250);
    await until(() => refused === 2, "the second refusal");
    await heard(gateway, hearing);
    clock.advance(500);
    await back;
    expect(hearing.told()).toEqual([[topic(1), "Missed."]]);
    expect(hearing.inbox.stats().recoveryFailed).toBe(0);
  });

  it("is asked again a minute later for an unread session", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Unreadable now.", { sessionKey: topic(1) });
    gateway.say("Readable.", { sessionKey: topic(2) });
    let broken = true;
    const rows = gateway.transcripts.rows(topic(1));
    const others = gateway.transcripts.rows(topic(2));
    gateway.respond("chat.history", ({ sessionKey }) => {
      if (sessionKey === topic(1) && broken) throw new GatewayRefusal({ code: "INTERNAL", message: "disk" });
      return { messages: sessionKey === topic(1) ? rows : others, hasMore: false };
    });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(2), "Readable."]]);
    expect(hearing.inbox.stats()).toMatchObject({ recoveryFailed: 1, recoveryPending: 0 });
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(2);
    expect(hearing.told()[1]).toEqual([topic(1), "Unreadable now."]);
  });

  it("is asked again a minute later for its list of sessions", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Missed.", { sessionKey: topic(1) });
    let broken = true;
    gateway.respond("sessions.list", () => {
      if (broken) throw new GatewayRefusal({ code: "INTERNAL", message: "disk" });
      return { ts: clock.now(), sessions: [{ key: topic(1), updatedAt: clock.now() }] };
    });
    await hearing.comeBack();
    // What is heard meanwhile must not pass for all there was.
    gateway.emit("tick", { ts: clock.now() + 30_000 });
    await heard(gateway, hearing);
    expect(hearing.messages).toEqual([]);
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Missed."]]);
  });

  it("is trusted that a session is busy, not with which run", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Perhaps not all.", { sessionKey: topic(1), runId: "run-1" });
    const rows = gateway.transcripts.rows(topic(1));
    let busy = true;
    gateway.respond("chat.history", () => ({ messages: rows, hasMore: false, sessionInfo: { hasActiveRun: busy } }));
    await hearing.comeBack();
    expect(hearing.messages).toEqual([]);
    busy = false;
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(hearing.messages).toMatchObject([{ text: "Perhaps not all.", recovered: true }]);
  });

  it("does not keep the link from being live", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    gateway.respond("sessions.list", () => new Promise(() => {}));
    const hearing = await listen(fake, { recoveryTimeoutMs: 5_000 }, { start: false });
    const started = hearing.inbox.start();
    await until(() => hearing.inbox.links()[0]?.state === "recovering", "the link to recover");
    gateway.say("Live all the same.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    expect(hearing.inbox.links()[0]?.state).toBe("recovering");
    clock.advance(5_000);
    await started;
    expect(hearing.inbox.links()[0]?.state).toBe("live");
    expect(hearing.told()).toEqual([[topic(1), "Live all the same."]]);
  });

  it("is heard when it knows none of the methods", async () => {
    const fake = await openGateway();
    const unknown = () => {
      throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "unknown method" });
    };
    const methods = ["sessions.subscribe", "sessions.list", "sessions.messages.subscribe", "chat.history"];
    for (const method of methods) fake.gateway.respond(method, unknown);
    const hearing = await listen(fake);
    fake.gateway.say("Broadcast.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    expect(hearing.inbox.links()[0]?.state).toBe("live");
    expect(hearing.inbox.stats().recoveryFailed).toBeGreaterThan(0);
  });

  it.each([
    ["nothing", null],
    ["a word", "sessions"],
    ["a list", []],
    [
      "fields of the wrong kinds",
      {
        ts: "now",
        sessions: [null, 5, {}, { key: 5 }, { key: topic(1), updatedAt: "x" }],
        hasMore: true,
        nextOffset: 0,
      },
    ],
    [
      "rows of the wrong kinds",
      {
        sessions: [{ key: topic(1), hasActiveRun: true }],
        messages: [null, { role: 5 }, { role: "assistant", __openclaw: 5 }],
        inFlightRun: 5,
        sessionInfo: [],
        hasMore: true,
        nextOffset: -1,
        deltaCursor: {},
      },
    ],
    [
      "pages without end",
      { sessions: [{ key: topic(1), hasActiveRun: true }], messages: [], hasMore: true, nextOffset: 1 },
    ],
  ])("may answer %s", async (_, answer) => {
    const fake = await openGateway();
    for (const method of ["sessions.subscribe", "sessions.list", "sessions.messages.subscribe", "chat.history"]) {
      fake.gateway.respond(method, () => answer);
    }
    const hearing = await listen(fake);
    for (const payload of [
      null,
      5,
      {},
      { sessionKey: 5 },
      { sessionKey: topic(1), message: 5 },
      { runId: 5, phase: "end" },
    ]) {
      for (const event of ["session.message", "sessions.changed", "agent", "tick"]) {
        fake.gateway.sendRaw(JSON.stringify({ type: "event", event, payload }));
      }
    }
    fake.gateway.say("Heard.", { sessionKey: topic(2) });
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(2), "Heard."]]);
    expect(hearing.inbox.links()[0]?.state).toBe("live");
  });

  it("may give one event a wrong time", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    gateway.emit("tick", { ts: NOON + 365 * 24 * HOUR_MS });
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("Missed.", { sessionKey: topic(1) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "Missed."]]);
  });

  it("may close the connection during the catch-up", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const hearing = await listen(fake);
    await hearing.source.cut();
    clock.advance(60_000);
    for (let id = 0; id < 50; id += 1) gateway.say(`Missed ${id}.`, { sessionKey: topic(id) });
    const reading = gateway.nextRequest("chat.history");
    void hearing.source.comeBack();
    await reading;
    await hearing.source.cut();
    await hearing.comeBack();
    expect(new Set(hearing.told().map(([, words]) => words)).size).toBe(50);
    expect(hearing.messages).toHaveLength(50);
    expect(hearing.inbox.stats()).toMatchObject({ recoveryPending: 0, sessions: 50 });
  });
});
