import { afterEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox, type InboxOptions, type RunOutcome } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const KEY = "agent:main:collavre:42:creative:100:topic:200";
const clock = createTestClock(1_000);
let inbox: Inbox;
let outcomes: RunOutcome[];
let lines: { level: string; fields: Record<string, unknown>; text: string }[];

function open(options: InboxOptions = {}): void {
  lines = [];
  const line = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, text });
  const logger = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  inbox = createInbox({ clock, logger, ...options });
  outcomes = [];
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
}

afterEach(() => inbox.stop());

let seq = 0;
const hear = (runId: string, state: string, more: object = {}) =>
  inbox.handle({ runId, sessionKey: KEY, seq: ++seq, state, ...more });
const say = (text: string) => ({ message: { role: "assistant", content: [{ type: "text", text }] } });
const texts = () =>
  outcomes.map((outcome) =>
    outcome.status === "dispatched" ? outcome.message.text : `${outcome.status}: ${outcome.text}`,
  );

describe("the rules kept from the model", () => {
  it("R1: an event without a run id is ignored and counted", () => {
    open();
    inbox.handle({ state: "delta", deltaText: "Hello" });
    expect(inbox.runs()).toEqual([]);
    expect(inbox.stats().rejected).toBe(1);
  });

  it("R2: the first event fixes start, session key and owner", () => {
    open();
    inbox.handle({ runId: "r", sessionKey: KEY, seq: 1, state: "delta", deltaText: "Hel" }, "alice");
    clock.advance(10);
    inbox.handle({ runId: "r", sessionKey: "agent:main:other", seq: 2, state: "delta", deltaText: "lo" }, "bob");
    const [run] = inbox.runs();
    expect(run).toEqual({
      runId: "r",
      gateway: "default",
      owner: "alice",
      sessionKey: KEY,
      text: "Hello",
      startedAt: clock.now() - 10,
      expiresAt: clock.now() - 10 + 1_800_000,
    });
  });

  it("R3: the final's own text and session key win; the buffer's stand in for them", () => {
    open();
    hear("own", "delta", { deltaText: "draft" });
    hear("own", "final", { ...say("Final"), sessionKey: "agent:main:main" });
    hear("none", "delta", { deltaText: "Buffered" });
    hear("none", "final", { sessionKey: undefined });
    expect(outcomes).toMatchObject([
      { message: { text: "Final", sessionKey: "agent:main:main" } },
      { message: { text: "Buffered", sessionKey: KEY } },
    ]);
  });

  it("R4: a final that is blank in the end hands nothing over", () => {
    open();
    hear("a", "final");
    hear("b", "delta", { deltaText: " \n" });
    hear("b", "final", say(" "));
    expect(outcomes).toMatchObject([
      { status: "discarded", reason: "empty" },
      { status: "discarded", reason: "empty" },
    ]);
    expect(inbox.stats().dispatched).toBe(0);
  });

  it("R6: an error is logged with the Gateway's words, else as unknown, never with the agent's; an abort frees the buffer", () => {
    open();
    hear("a", "delta", { deltaText: "part" });
    hear("a", "error", { errorMessage: "HTTP 500", errorKind: "timeout" });
    hear("b", "error", say("no quota"));
    hear("c", "error");
    hear("d", "delta", { deltaText: "part" });
    hear("d", "aborted");
    expect(outcomes).toMatchObject([
      { status: "errored", error: "HTTP 500", errorKind: "timeout", text: "part" },
      { status: "errored", error: "no quota", text: "no quota" },
      { status: "errored", error: "Unknown error" },
      { status: "aborted", text: "part" },
    ]);
    expect(lines.filter(({ level }) => level === "error").map(({ fields }) => fields.error)).toEqual([
      "HTTP 500",
      "Unknown error",
      "Unknown error",
    ]);
    expect(inbox.runs()).toEqual([]);
    expect(inbox.stats().bufferedBytes).toBe(0);
  });

  it("R7: an unknown state is ignored, with a line at debug", () => {
    open();
    hear("a", "pondering");
    expect(lines).toMatchObject([{ level: "debug", fields: { runId: "a", state: "pondering" } }]);
    expect(inbox.runs()).toEqual([]);
  });

  it("R8: a run is given up after the TTL from its first event, with a warning; deltas do not extend it", () => {
    open();
    hear("a", "delta", { deltaText: "Still " });
    clock.advance(1_799_999);
    hear("a", "delta", { deltaText: "here" });
    expect(outcomes).toEqual([]);
    clock.advance(1);
    expect(outcomes).toMatchObject([{ status: "expired", runId: "a", text: "Still here" }]);
    expect(lines.at(-1)).toMatchObject({ level: "warn", fields: { runId: "a" } });
  });

  it("R9: a dispatched run is remembered for 60 s, and what repeats it is dropped", () => {
    open();
    hear("a", "final", say("Once"));
    clock.advance(59_999);
    hear("a", "final", say("Once"));
    hear("a", "error", { errorMessage: "after a restart" });
    expect(texts()).toEqual(["Once"]);
    expect(inbox.stats()).toMatchObject({ dispatched: 1, afterEnd: 2, errored: 0 });
    clock.advance(60_000);
    hear("a", "final", say("Once"));
    expect(texts(), "the ledger remembers longer").toEqual(["Once"]);
    expect(inbox.stats().alreadyTaken).toBe(1);
  });

  it("R11: a session that is not ours is unroutable, with a warning", () => {
    open({ session: () => undefined });
    hear("a", "final", say("Not for you"));
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "unroutable", text: "Not for you" }]);
    expect(lines).toMatchObject([{ level: "warn" }]);
  });
});

describe("the rules where the model is wrong", () => {
  it("B3: events are repeats only if run, state and seq are equal, for 30 s", () => {
    open();
    inbox.handle({ runId: "r", sessionKey: KEY, seq: 7, state: "delta", deltaText: "Hi" });
    inbox.handle({ runId: "r", sessionKey: KEY, seq: 7, state: "delta", deltaText: "Hi" });
    inbox.handle({ runId: "r", sessionKey: KEY, state: "delta", deltaText: "!" });
    inbox.handle({ runId: "r", sessionKey: KEY, state: "delta", deltaText: "!" });
    expect(inbox.stats().duplicates).toBe(1);
    clock.advance(30_000);
    inbox.handle({ runId: "r", sessionKey: KEY, seq: 7, state: "delta", deltaText: "?" });
    inbox.handle({ runId: "r", sessionKey: KEY, seq: 7, state: "final" });
    expect(texts()).toEqual(["Hi!!?"]);
  });

  it("B5: a final after error, abort, expiry or an empty final is handed over, marked late; deltas are not", () => {
    open();
    const runs = ["expired", "errored", "aborted", "empty"];
    hear("expired", "status");
    clock.advance(1_800_000);
    hear("errored", "error");
    hear("aborted", "aborted");
    hear("empty", "final");
    outcomes.length = 0;
    for (const run of runs) hear(run, "delta", { deltaText: "dropped" });
    expect(inbox.runs()).toEqual([]);
    for (const run of runs) hear(run, "final", say(`${run} after all`));
    for (const run of runs) hear(run, "final", say("again"));
    expect(outcomes).toMatchObject(
      runs.map((run) => ({ status: "dispatched", message: { runId: run, text: `${run} after all`, late: true } })),
    );
    expect(inbox.stats().late).toBe(4);
  });

  it("B7: a run this host asked for is discarded, whether it says so before or after the first event", () => {
    open();
    inbox.solicit("before");
    hear("before", "delta", { deltaText: "mine" });
    hear("after", "delta", { deltaText: "mine" });
    inbox.solicit("after");
    for (const run of ["before", "after"]) hear(run, "final", say("mine"));
    expect(outcomes).toMatchObject([
      { status: "discarded", reason: "solicited", runId: "before" },
      { status: "discarded", reason: "solicited", runId: "after" },
    ]);
    expect(inbox.stats().dispatched).toBe(0);
  });

  it("B7: a discarded run that streams on for longer than the settled window stays discarded, once", () => {
    open();
    inbox.solicit("r");
    for (let i = 0; i < 40; i++) {
      hear("r", "delta", { deltaText: "on and on " });
      clock.advance(50_000);
    }
    hear("r", "final", say("on and on"));
    expect(outcomes).toHaveLength(1);
  });

  it("B9: keeps the case of session keys", () => {
    open();
    const key = "agent:main:matrix:channel:!AbC:example.org";
    hear("a", "final", { ...say("Hi"), sessionKey: key });
    expect(outcomes).toMatchObject([{ status: "dispatched", message: { sessionKey: key } }]);
  });

  it("B10: a sub-agent's runs are internal, unless they are asked for", () => {
    const sub = { ...say("report"), sessionKey: "agent:main:subagent:1" };
    open();
    hear("a", "final", sub);
    hear("b", "final", { ...say("report"), spawnedBy: KEY });
    expect(outcomes).toMatchObject([{ reason: "subagent" }, { reason: "subagent" }]);
    open({ includeSubagents: true });
    hear("a", "final", sub);
    expect(texts()).toEqual(["report"]);
  });

  it("B12: of two ends the first decides, though seq starts over", () => {
    open();
    hear("a", "error", { errorMessage: "first", seq: 9 });
    hear("a", "error", { errorMessage: "second", seq: 1 });
    hear("b", "aborted", { seq: 8 });
    hear("b", "error", { seq: 1 });
    hear("c", "final", { ...say("said"), seq: 12 });
    hear("c", "error", { seq: 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(["errored", "aborted", "dispatched"]);
  });

  it("B13: a run may be silent for minutes", () => {
    open();
    hear("a", "status");
    clock.advance(180_000);
    hear("a", "final", say("Sorry for the wait"));
    expect(texts()).toEqual(["Sorry for the wait"]);
  });
});

describe("a host's own functions", () => {
  it("`accept` has the last word; declined is an outcome", () => {
    open({ accept: ({ text }) => text !== "no" });
    hear("a", "final", say("no"));
    hear("b", "final", say("yes"));
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "declined", text: "no" }, { status: "dispatched" }]);
  });
  it("that throw are counted and lose no message", () => {
    const broken = () => {
      throw new Error("bug");
    };
    open({ accept: broken });
    hear("a", "final", say("kept"));
    expect(texts()).toEqual(["kept"]);
    expect(inbox.stats().hostErrors).toBe(1);
    open({ session: broken });
    hear("a", "final", say("kept in the outcome"));
    expect(outcomes).toMatchObject([{ reason: "unroutable", text: "kept in the outcome" }]);
  });
});

describe("limits", () => {
  it("a run too many is errored, and its final is still handed over", () => {
    open({ maxRuns: 2 });
    for (const run of ["a", "b", "c"]) hear(run, "delta", { deltaText: run });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxRuns", runId: "c" }]);
    hear("c", "final", say("c in full"));
    hear("d", "final", say("d needs no buffer"));
    expect(texts().slice(1)).toEqual(["c in full", "d needs no buffer"]);
    expect(inbox.stats()).toMatchObject({ liveRuns: 2, overLimit: 1 });
  });
  it("a text too long is errored with what there was, counted in bytes, and its final may still come", () => {
    open({ maxTextBytes: 10 });
    hear("a", "delta", { deltaText: "ten bytes!" });
    hear("a", "delta", { deltaText: "ü" });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes", text: "ten bytes!" }]);
    hear("a", "final", say("short"));
    hear("b", "final", say("far too long"));
    expect(outcomes.slice(1)).toMatchObject([
      { status: "dispatched", message: { late: true } },
      { errorKind: "maxTextBytes" },
    ]);
  });
  it("too much text in all is errored for the run that exceeds it", () => {
    open({ maxBufferedBytes: 20 });
    hear("a", "delta", { deltaText: "12345" });
    hear("b", "delta", { deltaText: "123456" });
    expect(outcomes).toMatchObject([{ errorKind: "maxBufferedBytes", runId: "b" }]);
    expect(inbox.stats().bufferedBytes).toBe(10);
  });
  it("settled runs too many are forgotten, counted; the ledger still knows them", () => {
    open({ maxSettledRuns: 1 });
    for (const run of ["a", "b", "a"]) hear(run, "final", say(run));
    expect(texts()).toEqual(["a", "b"]);
    expect(inbox.stats()).toMatchObject({ settledEvicted: 2, alreadyTaken: 1 });
  });
});

describe("what the wire is believed", () => {
  const final = (runId: string, message: object | undefined, more: object = {}) =>
    hear(runId, "final", { ...(message !== undefined && { message }), ...more });
  const content = (text: string) => [{ type: "text", text }];

  it("B12: takes a final that says stopReason error for an error", () => {
    open();
    final("silent", undefined, { stopReason: "error" });
    final("wordy", { role: "assistant", content: content("401 invalid key"), stopReason: "error" });
    expect(outcomes).toMatchObject([
      { status: "errored", runId: "silent", error: "Unknown error" },
      { status: "errored", runId: "wordy", error: "401 invalid key" },
    ]);
  });

  it.each([
    "NO_REPLY",
    "HEARTBEAT_OK",
    " no_reply\n",
    "**NO_REPLY**",
    "NO_REPLY NO_REPLY",
    "HEARTBEAT_OK.",
    "(no output)",
  ])("takes %j for silence", (text) => {
    open();
    hear("r", "delta", { deltaText: text });
    final("r", { role: "assistant", content: content(text) });
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "empty" }]);
  });

  it.each(["NO_REPLY is what I would say.", "It said HEARTBEAT_OK", "NO REPLY", "NO_REPLYING", "..."])(
    "takes %j for words",
    (text) => {
      open();
      final("r", { role: "assistant", content: content(text) });
      expect(texts()).toEqual([text]);
    },
  );

  it("hands silence over where that is wanted", () => {
    open({ handOverSilence: true });
    final("r", { role: "assistant", content: content("NO_REPLY") });
    expect(texts()).toEqual(["NO_REPLY"]);
  });

  it.each(["user", "toolResult", "system"])("takes no words of the role %s for an agent's", (role) => {
    open();
    final("alone", { role, content: content("Not mine.") });
    hear("spoken", "delta", { deltaText: "Mine." });
    final("spoken", { role, content: content("Not mine.") });
    expect(texts()).toEqual(["discarded: ", "Mine."]);
  });

  it("hands over a final that has an image only, and one that has both", () => {
    open();
    final("image", { role: "assistant", content: [{ type: "image", url: "/media/1" }] });
    final("canvas", { role: "assistant", content: [{ type: "canvas" }] });
    final("both", { role: "assistant", content: [...content("Look:"), { type: "image" }] });
    final("thought", { role: "assistant", content: [{ type: "thinking", thinking: "Hm." }] });
    expect(texts()).toEqual(["", "", "Look:", "discarded: "]);
  });

  it.each([
    ["errored", () => hear("r", "error", { errorMessage: "Overloaded" })],
    ["aborted", () => hear("r", "aborted")],
    ["expired", () => clock.advance(1_800_000)],
  ])("B5: gives a late final without text the text of its deltas, after the run %s", (status, end) => {
    open({ settledWindowMs: 600_000 });
    hear("r", "delta", { deltaText: "One, " });
    end();
    hear("r", "delta", { deltaText: "two, " });
    hear("r", "delta", { deltaText: "three." });
    final("r", undefined);
    expect(outcomes).toMatchObject([
      { status, text: "One, " },
      { status: "dispatched", message: { text: "One, two, three.", late: true } },
    ]);
  });

  it("keeps no more than 16 MiB of texts for late finals", () => {
    open({ settledWindowMs: 600_000 });
    const words = "x".repeat(2_000_000);
    for (let run = 0; run < 6; run += 1) {
      hear(`r${run}`, "delta", { deltaText: words });
      hear(`r${run}`, "error", { errorMessage: "Overloaded" });
    }
    for (let run = 0; run < 6; run += 1) final(`r${run}`, undefined);
    expect(outcomes.filter(({ status }) => status === "dispatched")).toHaveLength(4);
  });

  it("says which agent spoke", () => {
    open();
    hear("r", "final", { ...say("Hello."), agentId: "helper" });
    expect(outcomes).toMatchObject([{ message: { agentId: "helper" } }]);
  });

  it("does not say requested of a run whose key proves a cron job", () => {
    open();
    const key = "agent:main:cron:job-1:run:1";
    hear("r", "status", { sessionKey: key });
    hear("r", "final", { ...say("Good morning."), sessionKey: key });
    expect(outcomes).toMatchObject([{ message: { origin: "cron" } }]);
  });

  it("B15: hands over a second final that says something else, under an id of its own, once", () => {
    open();
    final("r", { role: "assistant", content: content("Sending it.Sent.") });
    const byTool = { role: "assistant", content: content("By the message tool"), usage: { input: 0 } };
    final("r", byTool);
    final("r", byTool);
    expect(texts()).toEqual(["Sending it.Sent.", "By the message tool"]);
    const ids = outcomes.map((outcome) => outcome.status === "dispatched" && outcome.message.id);
    expect(new Set(ids).size).toBe(2);
    expect(inbox.stats().afterEnd).toBe(1);
  });

  it("B15: drops a second final that repeats or lengthens the first", () => {
    open();
    final("r", { role: "assistant", content: content("The first half.") });
    for (const text of ["The first half. And the second.", "first half"]) {
      final("r", { role: "assistant", content: content(text), usage: { input: 0 } });
    }
    expect(texts()).toEqual(["The first half."]);
    expect(inbox.stats().afterEnd).toBe(2);
  });
});
