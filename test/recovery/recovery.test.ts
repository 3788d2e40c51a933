import { describe, expect, it } from "vitest";
import { collavre } from "../../src/collavre.ts";
import { until } from "../helpers/turns.ts";
import { asked, heard, later, listen, NOON, openGateway, openHearing, tellRow, topic } from "./hearing.ts";

const MAIN = "agent:main:main";
const text = (words: string) => [{ type: "text", text: words }];
const HOUR_MS = 3_600_000;

describe("a listener that was cut off", () => {
  it("continues a run that goes on", async () => {
    const { gateway, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
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
    const { gateway, clock, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("First this, ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await hearing.source.cut();
    clock.advance(1_000);
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
    const { gateway, clock, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("One, ");
    await until(() => hearing.inbox.runs().length === 1, "the run");
    await hearing.source.cut();
    clock.advance(1_000);
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
    const { gateway, clock, hearing } = await openHearing();
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Asked.", { sessionKey: topic(1), origin: "send" });
    gateway.say("By the clock.", { sessionKey: topic(2), origin: "cron" });
    gateway.say("Injected.", { sessionKey: topic(3), origin: "inject" });
    gateway.say("Bound.", { sessionKey: topic(4), origin: "cron-current" });
    await hearing.comeBack();
    const origins = new Map(hearing.messages.map(({ sessionKey, origin }) => [sessionKey, origin]));
    expect([1, 2, 3, 4].map((id) => origins.get(topic(id)))).toEqual(["requested", "cron", "injected", "cron"]);
  });

  it("reads failed and aborted runs as such", async () => {
    const { gateway, clock, hearing } = await openHearing();
    const failing = gateway.run({ sessionKey: topic(1), runId: "fails" });
    const stopped = gateway.run({ sessionKey: topic(2), runId: "stops" });
    failing.delta("I ");
    stopped.delta("You ");
    await until(() => hearing.inbox.runs().length === 2, "the runs");
    await hearing.source.cut();
    clock.advance(1_000);
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
    const { gateway, clock, hearing } = await openHearing();
    await hearing.source.cut();
    clock.advance(1_000);
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
    const { gateway, clock, hearing } = await openHearing({}, [MAIN]);
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

  it.each([
    ["again while it may end", 30_000, 1],
    ["no more once it is given up", 90_000, 0],
  ])("reads the session of a run that was heard in part %s", async (_, ms, count) => {
    const { fake, gateway, clock, hearing } = await openHearing({ ttlMs: 60_000 }, [topic(1)]);
    const call = { role: "assistant", content: [{ type: "toolCall" }], stopReason: "toolUse" };
    tellRow(gateway, topic(1), call, "never-ends");
    await later(fake, hearing);
    clock.advance(ms);
    await heard(gateway, hearing);
    await hearing.source.cut();
    await hearing.comeBack();
    // The first connection after it was given up stores that.
    await heard(gateway, hearing);
    clock.advance(5_000);
    await hearing.source.cut();
    const before = asked(gateway, "chat.history").length;
    await hearing.comeBack();
    expect(asked(gateway, "chat.history").length - before).toBe(count);
    expect(hearing.outcomes).toEqual([]);
  });

  it("reads no history of what it heard to its end", async () => {
    const { gateway, clock, hearing } = await openHearing();
    clock.advance(1_000);
    gateway.say("Told just now.", { sessionKey: topic(1) });
    gateway.say("Failed just now.", { sessionKey: topic(2), end: "error" });
    await until(() => hearing.outcomes.length === 2, "both ends");
    await heard(gateway, hearing);
    clock.advance(1_000);
    await hearing.source.cut();
    await hearing.comeBack();
    expect(asked(gateway, "chat.history")).toEqual([]);
    expect(hearing.outcomes).toHaveLength(2);
    expect(hearing.inbox.stats()).toMatchObject({ recovered: 0, afterEnd: 0, alreadyTaken: 0 });
  });

  it("hands nothing over twice", async () => {
    const { gateway, clock, hearing } = await openHearing({ settledWindowMs: 1 });
    gateway.say("Told already.", { sessionKey: topic(1) });
    await hearing.toldOf(1);
    clock.advance(5_000);
    for (let cut = 0; cut < 3; cut += 1) {
      await hearing.source.cut();
      await hearing.comeBack();
    }
    expect(hearing.told()).toEqual([[topic(1), "Told already."]]);
    expect(hearing.inbox.stats().alreadyTaken).toBeGreaterThan(0);
  });

  it("reads a session back to the row it heard last", async () => {
    const { gateway, clock, hearing } = await openHearing();
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
    const { gateway, clock, hearing } = await openHearing({ maxHistoryRows: 100 });
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
    const { gateway, clock, hearing } = await openHearing({ session: collavre });
    hearing.inbox.solicit("mine");
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("For somebody else.", { sessionKey: MAIN });
    gateway.say("Asked by us.", { sessionKey: topic(1), runId: "mine" });
    gateway.say("Of a helper.", { sessionKey: topic(1), origin: "subagent" });
    await hearing.comeBack();
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toMatchObject([{ status: "discarded", reason: "solicited", runId: "mine" }]);
  });
});

describe("a run that nobody ends", () => {
  it("expires after one look at its history", async () => {
    const { gateway, clock, hearing } = await openHearing({ ttlMs: 600_000 });
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
    const { gateway, clock, hearing } = await openHearing({ ttlMs: 600_000 });
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
