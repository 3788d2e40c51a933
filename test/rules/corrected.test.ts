/** The rules B1 to B14 of docs/rules.md: those in which the model is wrong on a real Gateway. */
import { describe, expect, it } from "vitest";
import { collavre, type InboxOptions, parseSessionKey } from "../../src/index.ts";
import type { FakeGateway } from "../../src/testing/index.ts";
import { feedInbox, KEY, say } from "../helpers/fed-inbox.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { until } from "../helpers/turns.ts";
import { asked, type Hearing, later, NOON, openGateway, openHearing, tellRow, topic } from "../recovery/hearing.ts";
import { scriptedSource } from "../recovery/scripted-source.ts";

const inFolder = useTemporaryFolder();

/** The text of a run that sends these deltas and then a final without a message. */
function textOf(...deltas: object[]): string | undefined {
  const { hear, texts } = feedInbox();
  for (const delta of deltas) hear("r", "delta", delta);
  hear("r", "final");
  return texts()[0];
}

describe("B1: a run's text is right for every sender", () => {
  const messages = (...texts: string[]) => texts.map(say);

  it("takes a delta's message for the text so far, even after a missed delta", () => {
    expect(textOf({ deltaText: "a", ...say("a") }, { deltaText: "c", ...say("abc") })).toBe("abc");
  });

  it("gives the whole text of a run joined midway", () => {
    expect(textOf({ deltaText: " tail", ...say("the head and the tail") })).toBe("the head and the tail");
  });

  it("appends deltaText where there is no message", () => {
    const deltas = ["Hel", "lo", " ", "you"].map((deltaText) => ({ deltaText }));
    expect(textOf(...deltas)).toBe("Hello you");
  });

  it("starts again at replace, from a text or from nothing", () => {
    expect(textOf({ deltaText: "wrong" }, { deltaText: "", replace: true }, { deltaText: "right" })).toBe("right");
    expect(textOf({ deltaText: "wrong" }, { deltaText: "right", replace: true })).toBe("right");
    expect(textOf(say("wrong"), { ...say("right"), replace: true })).toBe("right");
  });

  it("takes growing messages for the text so far", () => {
    expect(textOf(...messages("Hello", "Hello wor", "Hello world"))).toBe("Hello world");
    expect(textOf(...messages("H", "He", "Hel", "Hello", "Hello"))).toBe("Hello");
  });

  it("takes other messages for pieces", () => {
    expect(textOf(...messages("Hello ", "world", "!"))).toBe("Hello world!");
    expect(textOf(...messages("ha", "ha", "ha"))).toBe("hahaha");
  });

  it("decides anew when a later message tells", () => {
    expect(textOf(...messages(" ", " world", "!"))).toBe("  world!");
    expect(textOf(...messages("Hello", "Hello", "Hello world"))).toBe("Hello world");
  });

  it("follows a snapshot that shrinks after a retry", () => {
    expect(textOf(...messages("The quick", "The quick brown", "The"))).toBe("The");
  });
});

describe("B2: white space is text", () => {
  it("keeps a delta of white space", () => {
    expect(textOf(say("two"), say(" "), say("words"))).toBe("two words");
    expect(textOf({ deltaText: "two" }, { deltaText: "\n\n" }, { deltaText: "lines" })).toBe("two\n\nlines");
  });
});

describe("B3: events are repeats only if run, state and seq are equal", () => {
  const delta = (seq: number | undefined, deltaText: string) => ({
    runId: "r",
    sessionKey: KEY,
    ...(seq !== undefined && { seq }),
    state: "delta",
    deltaText,
  });

  it("drops a repeat for 30 s", () => {
    const { inbox, clock, hear, texts } = feedInbox();
    inbox.handle(delta(7, "Hi"));
    clock.advance(29_999);
    inbox.handle(delta(7, "Hi"));
    expect(inbox.stats().duplicates).toBe(1);
    clock.advance(30_000);
    inbox.handle(delta(7, "?"));
    hear("r", "final");
    expect(texts()).toEqual(["Hi?"]);
  });

  it("passes events without a seq", () => {
    const { inbox, hear, texts } = feedInbox();
    for (const _ of [1, 2]) inbox.handle(delta(undefined, "!"));
    hear("r", "final");
    expect(texts()).toEqual(["!!"]);
  });

  it("passes a final that shares the seq of a delta", () => {
    const { inbox, hear, texts } = feedInbox();
    inbox.handle(delta(7, "Hi"));
    hear("r", "final", { seq: 7 });
    expect(texts()).toEqual(["Hi"]);
  });

  function openScripted() {
    const { request: _, ...source } = scriptedSource("one", () => ({}));
    const fed = feedInbox({ source });
    const chat = (seq: number, state: string, deltaText?: string) =>
      source.event("chat", {
        runId: "run-1",
        sessionKey: KEY,
        seq,
        state,
        ...(deltaText !== undefined && { deltaText }),
      });
    return { ...fed, source, chat };
  }

  it("begins anew after a new hello when seq starts over", async () => {
    const { source, inbox, texts, chat } = openScripted();
    await inbox.start();
    chat(1, "delta", "The weather is ");
    chat(2, "delta", "bad");
    source.comeBack();
    chat(1, "delta", "The weather is ");
    chat(2, "delta", "good ");
    chat(3, "delta", "today.");
    chat(4, "final");
    expect(texts()).toEqual(["The weather is good today."]);
  });

  it("continues a run after a new hello when seq goes on", async () => {
    const { source, inbox, texts, chat } = openScripted();
    await inbox.start();
    chat(1, "delta", "The weather is ");
    source.comeBack();
    chat(2, "delta", "good.");
    chat(3, "final");
    expect(texts()).toEqual(["The weather is good."]);
  });
});

describe("B4: nothing is thrown away silently", () => {
  it.each<[string, object, InboxOptions, (fed: ReturnType<typeof feedInbox>) => void]>([
    ["an error", { status: "errored" }, {}, ({ hear }) => hear("r", "error")],
    ["an abort", { status: "aborted" }, {}, ({ hear }) => hear("r", "aborted")],
    ["the TTL", { status: "expired" }, {}, ({ clock }) => clock.advance(1_800_000)],
    ["`solicit`", { reason: "solicited" }, {}, ({ inbox }) => inbox.solicit("r")],
    ["a foreign session", { reason: "unroutable" }, { session: () => undefined }, ({ hear }) => hear("r", "final")],
    ["`accept`", { reason: "declined" }, { accept: () => false }, ({ hear }) => hear("r", "final")],
    ["a sub-agent's key", { reason: "subagent" }, {}, ({ hear }) => hear("r", "final", { spawnedBy: KEY })],
  ])("keeps the partial text of a run ended by %s and counts it", (_, expected, options, end) => {
    const fed = feedInbox(options);
    fed.hear("r", "delta", { deltaText: "Partial" });
    end(fed);
    fed.hear("r", "final");
    const { errored, aborted, expired, discarded } = fed.inbox.stats();
    expect(fed.outcomes[0]).toMatchObject({ runId: "r", text: "Partial", ...expected });
    expect(errored + aborted + expired + discarded).toBe(1);
  });
});

describe("B5: a final after another end is handed over, marked late", () => {
  it("hands over a late final once and drops late deltas", () => {
    const { inbox, clock, hear, outcomes } = feedInbox();
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

  it.each<[string, (fed: ReturnType<typeof feedInbox>) => void]>([
    ["errored", ({ hear }) => hear("r", "error", { errorMessage: "Overloaded" })],
    ["aborted", ({ hear }) => hear("r", "aborted")],
    ["expired", ({ clock }) => clock.advance(1_800_000)],
  ])("gives a late final without text the text of its deltas: %s", (status, end) => {
    const fed = feedInbox({ settledWindowMs: 600_000 });
    const { hear, outcomes } = fed;
    hear("r", "delta", { deltaText: "One, " });
    end(fed);
    hear("r", "delta", { deltaText: "two, " });
    hear("r", "delta", { deltaText: "three." });
    hear("r", "final");
    expect(outcomes).toMatchObject([
      { status, text: "One, " },
      { status: "dispatched", message: { text: "One, two, three.", late: true } },
    ]);
  });
});

describe("B6: an id that is no number is left out", () => {
  it("leaves out words, fractions and integers that are too large", () => {
    expect(parseSessionKey("agent:main:collavre:bob:creative:1.5:topic:")).toEqual({ agentId: "main" });
    expect(parseSessionKey("creative:99999999999999999999")).toEqual({});
  });
});

describe("B7: a run that this host asked for is not proactive", () => {
  it("discards it, solicited before or after its first event", () => {
    const { inbox, hear, outcomes } = feedInbox();
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

  it("discards it once, however long it streams on", () => {
    const { inbox, clock, hear, outcomes } = feedInbox();
    inbox.solicit("r");
    for (let i = 0; i < 40; i++) {
      hear("r", "delta", { deltaText: "on and on " });
      clock.advance(50_000);
    }
    hear("r", "final", say("on and on"));
    expect(outcomes).toHaveLength(1);
  });

  it("discards it in every inbox on the same ledger", async () => {
    const { gateway } = await openGateway();
    gateway.transcripts.session(topic(1));
    const open = () => {
      const { url, token } = gateway;
      const scopes = ["operator.read", "operator.write"];
      return feedInbox({ gateway: { url, token, scopes }, ledger: inFolder("inbox.db") });
    };
    const asker = open();
    const other = open();
    await asker.inbox.start();
    await other.inbox.start();
    gateway.respond("chat.send", ({ idempotencyKey }) => {
      // The whole answer overtakes the answer to the request.
      gateway.say("The answer.", { sessionKey: topic(1), runId: String(idempotencyKey) });
      return { runId: idempotencyKey, status: "started" };
    });
    const { runId } = await asker.inbox.send({ sessionKey: topic(1), text: "A question?" });
    gateway.say("Unasked.", { sessionKey: topic(1) });
    const solicited = () =>
      [asker, other].flatMap(({ outcomes }) => outcomes.filter((one) => "runId" in one && one.runId === runId));
    const texts = () => [asker, other].flatMap((fed) => fed.texts().filter((text) => !text.includes(":")));
    await until(() => texts().length > 0 && solicited().length === 2, "both outcomes");
    expect(solicited()).toMatchObject([{ reason: "solicited" }, { reason: "solicited" }]);
    expect(texts()).toEqual(["Unasked."]);
  });
});

describe("B8: the inbox subscribes to every session that is ours", () => {
  const MAIN = "agent:main:main";
  const subscribed = (gateway: FakeGateway) => [...(gateway.connections()[0]?.subscriptions ?? [])].sort();

  it("hears what only subscribers hear", async () => {
    const { gateway, hearing } = await openHearing({}, [MAIN, topic(1)]);
    expect(gateway.connections()[0]?.roster).toBe(true);
    expect(subscribed(gateway)).toEqual([topic(1), MAIN].sort());
    expect(hearing.inbox.stats().sessions).toBe(2);

    gateway.say("The disk is nearly full.", { sessionKey: MAIN, origin: "heartbeat" });
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[MAIN, "The disk is nearly full."]]);
    expect(hearing.messages[0]).toMatchObject({ origin: "heartbeat", recovered: false, late: false });
  });

  it("subscribes anew after each reconnect", async () => {
    const { gateway, hearing } = await openHearing({}, [MAIN]);
    await hearing.source.cut();
    gateway.transcripts.session(topic(3));
    await hearing.comeBack();
    expect(subscribed(gateway)).toEqual([topic(3), MAIN].sort());
    expect(hearing.inbox.stats().sessions).toBe(2);
    gateway.say("Still here.", { sessionKey: MAIN, origin: "wake" });
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[MAIN, "Still here."]]);
  });
});

describe("B9: session keys keep their case", () => {
  it("hands a message over under the key as it came", () => {
    const { hear, outcomes } = feedInbox();
    const key = "agent:main:matrix:channel:!AbC:example.org";
    hear("a", "final", { ...say("Hi"), sessionKey: key });
    expect(outcomes).toMatchObject([{ status: "dispatched", message: { sessionKey: key } }]);
  });

  it.each(["agent:main:signal:group:AbCdEf0123==", "agent:main:matrix:channel:!AbC:example.org"])(
    "subscribes to and reads a session under its own key: %s",
    async (key) => {
      const { gateway, clock, hearing } = await openHearing({}, [key]);
      expect(asked(gateway, "sessions.messages.subscribe")).toEqual([{ key }]);
      gateway.say("Hidden.", { sessionKey: key, origin: "heartbeat" });
      await hearing.toldOf(1);
      await hearing.source.cut();
      clock.advance(60_000);
      gateway.say("Missed.", { sessionKey: key });
      await hearing.comeBack();
      expect(hearing.told()).toEqual([
        [key, "Hidden."],
        [key, "Missed."],
      ]);
    },
  );

  it("reads a Collavre key whatever its case", () => {
    expect(parseSessionKey("Agent:Main:COLLAVRE:42")).toEqual({ agentId: "main", userId: 42 });
  });
});

describe("B10: a sub-agent's runs are internal", () => {
  const sub = { ...say("report"), sessionKey: "agent:main:subagent:1" };

  it("discards them, known by key or by parent", () => {
    const { hear, outcomes } = feedInbox();
    hear("a", "final", sub);
    hear("b", "final", { ...say("report"), spawnedBy: KEY });
    expect(outcomes).toMatchObject([{ reason: "subagent" }, { reason: "subagent" }]);
  });

  it("hands them over with `includeSubagents`", () => {
    const { hear, texts } = feedInbox({ includeSubagents: true });
    hear("a", "final", sub);
    expect(texts()).toEqual(["report"]);
  });
});

describe("B11: a reminder arrives once", () => {
  async function remind(options: InboxOptions) {
    const { fake, gateway, hearing } = await openHearing(options, [topic(1)]);
    gateway.say("Water the plants.", { sessionKey: topic(1), origin: "cron-current", jobId: "job-1" });
    await hearing.toldOf(1);
    await later(fake, hearing);
    expect(hearing.told()).toEqual([[topic(1), "Water the plants."]]);
    return hearing;
  }

  it("hands over the row of its conversation where cron keys are not ours", async () => {
    const { messages } = await remind({ session: collavre });
    expect(messages[0]).toMatchObject({ runId: `cron:job-1:${NOON}`, origin: "cron" });
  });

  it("discards the run under the cron key as relocated where every key is ours", async () => {
    const { outcomes } = await remind({});
    await until(() => outcomes.length === 2, "both outcomes");
    expect(outcomes).toContainEqual(
      expect.objectContaining({ status: "discarded", reason: "relocated", text: "Water the plants." }),
    );
    expect(outcomes).toHaveLength(2);
  });
});

describe("B12: of two ends the first decides", () => {
  it("drops the second end, though seq starts over", () => {
    const { hear, outcomes } = feedInbox();
    hear("a", "error", { errorMessage: "first", seq: 9 });
    hear("a", "error", { errorMessage: "second", seq: 1 });
    hear("b", "aborted", { seq: 8 });
    hear("b", "error", { seq: 1 });
    hear("c", "final", { ...say("said"), seq: 12 });
    hear("c", "error", { seq: 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(["errored", "aborted", "dispatched"]);
  });

  it("takes a final with stopReason error for an error", () => {
    const { hear, outcomes } = feedInbox();
    hear("silent", "final", { stopReason: "error" });
    hear("wordy", "final", { ...say("401 invalid key"), stopReason: "error" });
    expect(outcomes).toMatchObject([
      { status: "errored", runId: "silent", error: "Unknown error" },
      { status: "errored", runId: "wordy", error: "401 invalid key" },
    ]);
  });

  it("hands over a second final that says something else once, under its own id", () => {
    const { inbox, hear, outcomes, texts } = feedInbox();
    hear("r", "final", say("Sending it.Sent."));
    for (const _ of [1, 2]) hear("r", "final", { message: withUsage("By the message tool") });
    expect(texts()).toEqual(["Sending it.Sent.", "By the message tool"]);
    const ids = outcomes.map((outcome) => outcome.status === "dispatched" && outcome.message.id);
    expect(new Set(ids).size).toBe(2);
    expect(inbox.stats().afterEnd).toBe(1);
  });

  it("drops a second final that is the first, cut for display", () => {
    const { hear, texts } = feedInbox();
    const whole = "Blah, blah. ".repeat(760).trim();
    hear("r", "final", say(whole));
    hear("r", "final", { message: withUsage(`${whole.slice(0, 8_000)}\n...(truncated)...`) });
    expect(texts()).toEqual([whole]);
  });

  it("drops a second final that repeats or lengthens the first", () => {
    const { inbox, hear, texts } = feedInbox();
    hear("r", "final", say("The first half."));
    for (const text of ["The first half. And the second.", "first half"]) {
      hear("r", "final", { message: withUsage(text) });
    }
    expect(texts()).toEqual(["The first half."]);
    expect(inbox.stats().afterEnd).toBe(2);
  });

  /** The message of a row of its own, as the agent's `message` tool writes it. */
  const withUsage = (text: string) => ({ ...say(text).message, usage: { input: 0 } });
});

describe("B13: a run may be silent for minutes", () => {
  it("waits through three minutes of silence", () => {
    const { clock, hear, texts } = feedInbox();
    hear("a", "status");
    clock.advance(180_000);
    hear("a", "final", say("Sorry for the wait"));
    expect(texts()).toEqual(["Sorry for the wait"]);
  });
});

describe("B14: a text is the same however it was found", () => {
  const written = "[[reply_to_current]]\n\n<final>Look at  this.</final>\nMEDIA:./cat.png\n";
  const spoken = "Look at  this.";
  const row = { role: "assistant", content: [{ type: "text", text: written }], stopReason: "stop" };

  type Fake = Awaited<ReturnType<typeof openGateway>>;
  const ways: Record<string, (fake: Fake, hearing: Hearing) => Promise<void> | void> = {
    live: ({ gateway }) =>
      gateway.emit("chat", { runId: "run-1", sessionKey: topic(1), seq: 1, state: "final", ...say(spoken) }),
    async row(fake, hearing) {
      tellRow(fake.gateway, topic(1), row, "run-1");
      await later(fake, hearing);
    },
    async history({ gateway, clock }, { source, comeBack }) {
      await source.cut();
      clock.advance(60_000);
      gateway.transcripts.add(topic(1), row, { runId: "run-1" });
      await comeBack();
    },
  };

  it("gives one text and one id to a run heard live, by its row and in the history", async () => {
    const found: object[] = [];
    for (const find of Object.values(ways)) {
      const { fake, hearing } = await openHearing({}, [topic(1)]);
      await find(fake, hearing);
      await hearing.toldOf(1);
      found.push(...hearing.messages.map(({ id, text }) => ({ id, text })));
    }
    expect(found).toMatchObject([{ text: spoken }, { text: spoken }, { text: spoken }]);
    expect(found).toEqual([found[0], found[0], found[0]]);
  });
});
