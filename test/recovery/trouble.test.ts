import { describe, expect, it } from "vitest";
import { GatewayRefusal } from "../../src/testing/index.ts";
import { until } from "../helpers/turns.ts";
import { heard, listen, NOON, openGateway, openHearing, topic } from "./hearing.ts";

const HOUR_MS = 3_600_000;

describe("a Gateway that is in trouble", () => {
  it("is asked again when it is busy", async () => {
    const { gateway, clock, hearing } = await openHearing();
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
    const { gateway, clock, hearing } = await openHearing();
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
    const { gateway, clock, hearing } = await openHearing();
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

  // Without that subscription, no row and no start of a hidden run comes.
  it.each(["UNAVAILABLE", "INTERNAL"])("is asked again a minute later to tell of its sessions: %s", async (code) => {
    const { gateway, clock, hearing } = await openHearing();
    await hearing.source.cut();
    let broken = true;
    gateway.respond("sessions.subscribe", () => {
      if (broken) throw new GatewayRefusal({ code, message: "Agent database open was revoked" });
      return { subscribed: true };
    });
    await hearing.comeBack();
    expect(hearing.inbox.links()[0]?.state).toBe("live");
    clock.advance(1_000);
    gateway.say("Hidden.", { sessionKey: topic(1), hidden: true });
    gateway.emit("tick", { ts: clock.now() });
    await heard(gateway, hearing);
    expect(hearing.messages).toEqual([]);
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Hidden."]]);
  });

  it("is trusted that a session is busy, not with which run", async () => {
    const { gateway, clock, hearing } = await openHearing();
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
    const { gateway, clock, hearing } = await openHearing();
    gateway.emit("tick", { ts: NOON + 365 * 24 * HOUR_MS });
    await heard(gateway, hearing);
    await hearing.source.cut();
    clock.advance(60_000);
    gateway.say("Missed.", { sessionKey: topic(1) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "Missed."]]);
  });

  it("may close the connection during the catch-up", async () => {
    const { gateway, clock, hearing } = await openHearing();
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

describe("a list of sessions", () => {
  it("has those counted that are refused for the length of their key", async () => {
    const fake = await openGateway();
    const sessions = [{ key: `agent:main:${"x".repeat(1_025)}` }, { key: topic(1) }];
    fake.gateway.respond("sessions.list", () => ({ ts: NOON, sessions, hasMore: false }));
    const { inbox } = await listen(fake);
    expect(inbox.stats()).toMatchObject({ rejected: 1, sessions: 1 });
  });
});
