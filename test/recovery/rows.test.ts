import { describe, expect, it } from "vitest";
import { type FakeGateway, GatewayRefusal } from "../../src/testing/index.ts";
import { asked, heard, later, listen, NOON, openGateway, openHearing, tellRow, topic } from "./hearing.ts";

const MAIN = "agent:main:main";
const text = (words: string) => [{ type: "text", text: words }];

function refuse(message: string): never {
  throw new GatewayRefusal({ code: "INVALID_REQUEST", message });
}

describe("a row of a run that only subscribers hear the end of", () => {
  it("is completed where the Gateway cut it", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const long = Array.from({ length: 4_000 }, (_, word) => `w${word}`).join(" ");
    gateway.say(`${long}\n`, { sessionKey: topic(1), origin: "wake" });
    await later(fake, hearing);
    expect(long.length).toBeGreaterThan(20_000);
    expect(hearing.told()).toEqual([[topic(1), long]]);
  });

  it.each<[string, () => unknown]>([
    ["does not give it", () => ({ ok: false, unavailableReason: "oversized" })],
    ["does not know the question", () => refuse("unknown method: chat.message.get")],
    // Up to 2026.5.28: methods it does not know are the administrator's.
    ["refuses the question", () => refuse("missing scope: operator.admin")],
  ])("is completed from the history where the Gateway %s", async (_, answer) => {
    const { fake, gateway, hearing } = await openHearing();
    gateway.respond("chat.message.get", answer);
    const long = "x".repeat(9_000);
    gateway.say(long, { sessionKey: topic(1), origin: "wake" });
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), long]]);
  });

  it("ends as an error where the Gateway withholds the rest", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const cut = { role: "assistant", content: text("The beginning\n...(truncated)..."), stopReason: "stop" };
    const mark = { id: "row-1", runId: "run-1", truncated: true };
    gateway.respond("chat.message.get", () => ({ ok: false }));
    tellRow(gateway, topic(1), { ...cut, __openclaw: mark }, "run-1");
    await later(fake, hearing);
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toMatchObject([{ status: "errored", errorKind: "truncated", runId: "run-1" }]);
  });

  it("is joined with what the run said before its tool call", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const before = {
      role: "assistant",
      content: text("Let me look.  "),
      openclawStreamFallback: { source: "segment" },
    };
    gateway.transcripts.add(topic(1), before, { runId: "run-1" });
    const call = { role: "assistant", content: [{ type: "toolCall", name: "ls" }], stopReason: "toolUse" };
    tellRow(gateway, topic(1), call, "run-1");
    gateway.transcripts.add(topic(1), { role: "toolResult", content: text("(empty)") }, { runId: "run-1" });
    tellRow(gateway, topic(1), { role: "assistant", content: text("Nothing there."), stopReason: "stop" }, "run-1");
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Let me look.\n\nNothing there."]]);
  });

  it("is whole when the link is cut after its first row", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    gateway.say("The opening turn.", { sessionKey: topic(1), origin: "send" });
    await hearing.toldOf(1);
    const content = [...text("Let me look."), { type: "toolCall", name: "ls" }];
    tellRow(gateway, topic(1), { role: "assistant", content, stopReason: "toolUse" }, "run-1");
    await heard(gateway, hearing);
    gateway.drop();
    clock.advance(1_000);
    const last = { role: "assistant", content: text("Nothing there."), stopReason: "stop" };
    gateway.transcripts.add(topic(1), last, { runId: "run-1" });
    await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.told().at(-1)).toEqual([topic(1), "Let me look.\n\nNothing there."]);
  });

  it("waits for the history when the link comes back after its first row", async () => {
    const { fake, gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    gateway.say("The opening turn.", { sessionKey: topic(1), origin: "send" });
    await hearing.toldOf(1);
    gateway.drop();
    clock.advance(1_000);
    gateway.transcripts.started(topic(1), "run-1");
    const content = [...text("Let me look."), { type: "toolCall", name: "ls" }];
    gateway.transcripts.add(topic(1), { role: "assistant", content, stopReason: "toolUse" }, { runId: "run-1" });
    await hearing.comeBack();
    clock.advance(1_000);
    gateway.transcripts.ended(topic(1), "run-1", "done");
    let broken = true;
    gateway.respond("chat.history", ({ sessionKey }) => {
      if (broken) throw new GatewayRefusal({ code: "UNAVAILABLE", message: "busy" });
      return { messages: gateway.transcripts.rows(String(sessionKey)), hasMore: false };
    });
    tellRow(gateway, topic(1), { role: "assistant", content: text("Nothing there."), stopReason: "stop" }, "run-1");
    await later(fake, hearing);
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(2);
    expect(hearing.told().at(-1)).toEqual([topic(1), "Let me look.\n\nNothing there."]);
  });

  it("waits for the history where text is missing", async () => {
    const { fake, gateway, clock, hearing } = await openHearing();
    let broken = true;
    gateway.respond("chat.history", ({ sessionKey }) => {
      if (broken) throw new GatewayRefusal({ code: "INTERNAL", message: "disk" });
      return { messages: gateway.transcripts.rows(String(sessionKey)), hasMore: false };
    });
    const before = { role: "assistant", content: text("Let me look."), openclawStreamFallback: { source: "segment" } };
    gateway.transcripts.add(topic(1), before, { runId: "run-1" });
    const call = { role: "assistant", content: [{ type: "toolCall", name: "ls" }], stopReason: "toolUse" };
    tellRow(gateway, topic(1), call, "run-1");
    tellRow(gateway, topic(1), { role: "assistant", content: text("Nothing there."), stopReason: "stop" }, "run-1");
    await later(fake, hearing);
    expect(hearing.outcomes).toEqual([]);
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Let me look.\n\nNothing there."]]);
  });

  it("ends no run that the Gateway says goes on", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("The first half, ");
    tellRow(gateway, topic(1), { role: "assistant", content: text("The first half,"), stopReason: "stop" }, "run-1");
    await later(fake, hearing);
    expect(hearing.outcomes).toEqual([]);
    run.delta("the second half.");
    run.final();
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "The first half, the second half."]]);
  });

  it("waits while the session is busy with an unnamed run", async () => {
    const { gateway, clock, hearing } = await openHearing();
    let busy = true;
    const rows = [
      { role: "assistant", content: text("Done."), __openclaw: { runId: "run-1", id: "a", recordTimestampMs: NOON } },
    ];
    gateway.respond("chat.history", () => ({ messages: rows, hasMore: false, sessionInfo: { hasActiveRun: busy } }));
    tellRow(gateway, topic(1), { role: "assistant", content: text("Done."), __openclaw: { id: "a" } }, "run-1");
    await heard(gateway, hearing);
    clock.advance(1_000);
    await heard(gateway, hearing);
    expect(asked(gateway, "chat.history")).toHaveLength(1);
    expect(hearing.outcomes).toEqual([]);
    busy = false;
    clock.advance(1_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Done."]]);
  });

  it.each([
    ["a failed run's warning", { stopReason: "error" }, "errored"],
    ["an aborted run's partial text", { openclawAbort: { aborted: true }, stopReason: "stop" }, "aborted"],
  ])("is no message when it is %s", async (_, how, status) => {
    const { fake, gateway, hearing } = await openHearing();
    tellRow(gateway, topic(1), { role: "assistant", content: text("Not a reply."), ...how }, "run-1");
    await later(fake, hearing);
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toMatchObject([{ status, runId: "run-1", sessionKey: topic(1) }]);
  });

  it("is no message when it is a prompt or a notice", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const cron = { sourceTool: "cron", runId: "not-a-run" };
    const restart = { sourceTool: "main_session_restart_recovery" };
    tellRow(gateway, topic(1), {
      role: "assistant",
      content: "Say it.",
      provenance: cron,
      idempotencyKey: "x:user",
    });
    tellRow(gateway, topic(1), { role: "user", content: "Go on.", provenance: restart });
    tellRow(gateway, topic(1), { role: "user", content: "Hello?", idempotencyKey: "run-1:user" });
    await later(fake, hearing);
    expect(hearing.outcomes).toEqual([]);
    expect(hearing.inbox.runs()).toEqual([]);
  });

  it("ends as an error where the history lacks what it said before a tool call", async () => {
    const { fake, gateway, hearing } = await openHearing();
    gateway.respond("chat.history", () => ({ messages: [], hasMore: false }));
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1", origin: "wake" });
    run.delta("Let me look.");
    run.callTool();
    tellRow(gateway, topic(1), { role: "assistant", content: text("Nothing there."), stopReason: "stop" }, "run-1");
    await later(fake, hearing);
    expect(hearing.messages).toEqual([]);
    expect(hearing.outcomes).toMatchObject([{ status: "errored", errorKind: "truncated", text: "Nothing there." }]);
  });

  it("is handed over as it is when the history lacks it", async () => {
    const { fake, gateway, hearing } = await openHearing();
    gateway.respond("chat.history", () => ({ messages: [], hasMore: false }));
    gateway.say("The session is gone by now.", { sessionKey: topic(1), origin: "wake" });
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "The session is gone by now."]]);
  });
});

describe("a run that only ends in a status", () => {
  it("is read where its end and its rows were lost", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("Half of ");
    gateway.transcripts.add(
      topic(1),
      { role: "assistant", content: text("Half of it, and the rest.") },
      { runId: "run-1" },
    );
    gateway.transcripts.ended(topic(1), "run-1", "done");
    gateway.emit("sessions.changed", { sessionKey: topic(1), phase: "end", runId: "run-1" });
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Half of it, and the rest."]]);
    expect(hearing.messages[0]).toMatchObject({ recovered: false, startedAt: NOON });
  });

  it("is not read when it was heard to its end", async () => {
    const { fake, gateway, hearing } = await openHearing();
    gateway.say("Well.", { sessionKey: topic(1) });
    gateway.say("Not well.", { sessionKey: topic(1), end: "error" });
    gateway.say("Stopped.", { sessionKey: topic(1), end: "aborted" });
    await later(fake, hearing);
    expect(hearing.outcomes.map(({ status }) => status)).toEqual(["dispatched", "errored", "aborted"]);
    expect(asked(gateway, "chat.history")).toEqual([]);
  });
});

describe("the origin of a run", () => {
  it.each([
    ["heartbeat", "heartbeat", MAIN],
    ["wake", "heartbeat", MAIN],
    ["inject", "injected", topic(1)],
    ["send", "requested", topic(1)],
    ["agent", "requested", topic(1)],
    ["cron-isolated", "cron", topic(1)],
  ] as const)("is read from the wire: %s is %s", async (origin, told, sessionKey) => {
    const { fake, gateway, hearing } = await openHearing({}, [sessionKey]);
    gateway.say("From somewhere.", { sessionKey, origin });
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.messages.map((message) => message.origin)).toEqual([told]);
  });

  it.each(["live", "missed"])("is read from the prompt before it, which names another run: %s", async (when) => {
    const { fake, gateway, hearing } = await openHearing({}, [topic(1)]);
    if (when === "missed") {
      await hearing.source.cut();
      fake.clock.advance(1_000);
    }
    // A queued follow-up: asked for as send-1, answered as run-2.
    tellRow(gateway, topic(1), { role: "user", content: "And?", idempotencyKey: "send-1:user" });
    tellRow(gateway, topic(1), { role: "assistant", content: text("And so."), stopReason: "stop" }, "run-2");
    tellRow(gateway, topic(1), { role: "assistant", content: text("By the way."), stopReason: "stop" }, "run-3");
    if (when === "missed") await hearing.comeBack();
    await later(fake, hearing);
    expect(hearing.messages.map(({ runId, origin }) => [runId, origin])).toEqual([
      ["run-2", "requested"],
      ["run-3", "unknown"],
    ]);
  });

  it("is read from the cron prompt before it", async () => {
    const { fake, gateway, hearing } = await openHearing({}, [topic(1)]);
    const prompt = {
      role: "assistant",
      content: "Report.",
      provenance: { sourceTool: "cron" },
      idempotencyKey: "x:user",
    };
    tellRow(gateway, topic(1), prompt);
    tellRow(gateway, topic(1), { role: "assistant", content: text("The report."), stopReason: "stop" }, "run-1");
    gateway.chat({
      runId: "run-1",
      sessionKey: topic(1),
      seq: 9,
      state: "final",
      message: { content: text("The report.") },
    });
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.messages).toMatchObject([{ runId: "run-1", origin: "cron", text: "The report." }]);
  });

  it("lets a host decline what somebody asked for", async () => {
    const { fake, gateway, hearing } = await openHearing({ accept: ({ origin }) => origin !== "requested" }, [
      topic(1),
    ]);
    gateway.say("You said: hello", { sessionKey: topic(1), origin: "send" });
    gateway.say("By the way.", { sessionKey: topic(1), origin: "wake" });
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "By the way."]]);
    expect(hearing.outcomes).toContainEqual(expect.objectContaining({ status: "discarded", reason: "declined" }));
  });
});

describe("a source without requests", () => {
  it("has its rows read", async () => {
    const fake = await openGateway();
    const hearing = await listen(fake, {}, { canAsk: false });
    fake.gateway.emit("session.message", {
      sessionKey: topic(1),
      message: {
        role: "assistant",
        content: text("A row."),
        stopReason: "stop",
        __openclaw: { runId: "run-1", id: "a" },
      },
    });
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "A row."]]);
    expect(fake.gateway.requests).toEqual([]);
    expect(hearing.inbox.stats().recoveryRequests).toBe(0);
  });

  it("takes no row for the end of a run it hears", async () => {
    const fake = await openGateway();
    const { gateway } = fake;
    const hearing = await listen(fake, {}, { canAsk: false });
    const run = gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("All of ");
    const row = {
      role: "assistant",
      content: text("All of"),
      stopReason: "stop",
      __openclaw: { runId: "run-1", id: "a" },
    };
    gateway.emit("session.message", { sessionKey: topic(1), message: row });
    await later(fake, hearing);
    expect(hearing.outcomes).toEqual([]);
    run.delta("it.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "All of it."]]);
  });
});

describe("a final that the Gateway has cut", () => {
  const words = Array.from({ length: 2_000 }, (_, word) => `w${word}`).join(" ");
  const cut = `${words.slice(0, 8_000)}\n...(truncated)...`;

  function hearCut({ gateway }: { gateway: FakeGateway }, runId: string, mark: object = { truncated: true }): void {
    gateway.emit("chat", {
      runId,
      sessionKey: topic(1),
      seq: 0,
      state: "final",
      message: { role: "assistant", content: text(cut), __openclaw: mark },
    });
  }

  it.each([
    ["with its mark", { truncated: true, reason: "display-cap" }],
    ["without a mark, as before 2026.8", {}],
  ])("is completed from the history, %s", async (_, mark) => {
    const { fake, gateway, hearing } = await openHearing();
    gateway.transcripts.add(
      topic(1),
      { role: "assistant", content: text(words), stopReason: "stop" },
      { runId: "run-1" },
    );
    hearCut(fake, "run-1", mark);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), words]]);
  });

  it("is completed when it was injected", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const row = { role: "assistant", content: text(words), stopReason: "stop", model: "gateway-injected" };
    const { id } = gateway.transcripts.add(topic(1), row);
    hearCut(fake, `inject-${id}`);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), words]]);
    expect(hearing.messages[0]).toMatchObject({ runId: `inject-${id}`, origin: "injected" });
  });

  it("is completed from the history though its deltas have more of it", async () => {
    const { fake, gateway, hearing } = await openHearing();
    const deltaText = words.slice(0, -500);
    gateway.emit("chat", { runId: "run-1", sessionKey: topic(1), seq: 1, state: "delta", deltaText });
    gateway.transcripts.add(
      topic(1),
      { role: "assistant", content: text(words), stopReason: "stop" },
      { runId: "run-1" },
    );
    hearCut(fake, "run-1");
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), words]]);
  });

  it("ends as an error with what its deltas have where the Gateway withholds the rest", async () => {
    const fake = await openGateway();
    fake.gateway.respond("chat.history", () => ({ messages: [], hasMore: false }));
    const hearing = await listen(fake);
    const deltaText = words.slice(0, -500);
    fake.gateway.emit("chat", { runId: "run-1", sessionKey: topic(1), seq: 1, state: "delta", deltaText });
    hearCut(fake, "run-1");
    await later(fake, hearing);
    expect(hearing.outcomes).toMatchObject([{ status: "errored", errorKind: "truncated", text: deltaText.trimEnd() }]);
  });

  it("ends as an error with its text where the Gateway withholds the rest", async () => {
    const fake = await openGateway();
    fake.gateway.respond("chat.history", () => ({ messages: [], hasMore: false }));
    const hearing = await listen(fake);
    hearCut(fake, "run-1");
    await later(fake, hearing);
    expect(hearing.outcomes).toMatchObject([{ status: "errored", errorKind: "truncated", text: cut }]);
  });

  it("is completed at the next look when the Gateway is in trouble", async () => {
    const { fake, gateway, clock, hearing } = await openHearing();
    gateway.transcripts.add(
      topic(1),
      { role: "assistant", content: text(words), stopReason: "stop" },
      { runId: "run-1" },
    );
    const rows = gateway.transcripts.rows(topic(1));
    let broken = true;
    gateway.respond("chat.history", () => {
      if (broken) throw new GatewayRefusal({ code: "INTERNAL", message: "disk" });
      return { messages: rows, hasMore: false };
    });
    hearCut(fake, "run-1");
    await later(fake, hearing);
    expect(hearing.outcomes).toEqual([]);
    broken = false;
    clock.advance(60_000);
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), words]]);
  });
});
