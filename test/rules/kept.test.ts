/** The rules R1 to R13 of docs/rules.md: those kept from the model. */
import { firstValueFrom } from "rxjs";
import { describe, expect, it } from "vitest";
import { collavre, collavreJob, parseSessionKey } from "../../src/index.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { feedInbox, KEY, say } from "../helpers/fed-inbox.ts";
import { turn } from "../helpers/turns.ts";

describe("R1: an event without a run id is ignored", () => {
  it("counts it", () => {
    const { inbox } = feedInbox();
    inbox.handle({ state: "delta", deltaText: "Hello" });
    expect(inbox.runs()).toEqual([]);
    expect(inbox.stats().rejected).toBe(1);
  });
});

describe("R2: a delta starts or continues a run", () => {
  it("takes start, session key and owner from the first event", () => {
    const { inbox, clock } = feedInbox();
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
});

describe("R3: the final's own text wins", () => {
  it("takes text and session key from the final", () => {
    const { hear, outcomes } = feedInbox();
    hear("r", "delta", { deltaText: "draft" });
    hear("r", "final", { ...say("Final"), sessionKey: "agent:main:main" });
    expect(outcomes).toMatchObject([{ message: { text: "Final", sessionKey: "agent:main:main" } }]);
  });

  it("takes them from the buffer where the final has none", () => {
    const { hear, outcomes } = feedInbox();
    hear("r", "delta", { deltaText: "Buffered" });
    hear("r", "final", { sessionKey: undefined });
    expect(outcomes).toMatchObject([{ message: { text: "Buffered", sessionKey: KEY } }]);
  });
});

describe("R4: a blank final hands nothing over", () => {
  it("discards a run without text as empty", () => {
    const { hear, inbox, outcomes } = feedInbox();
    hear("a", "final");
    hear("b", "delta", { deltaText: " \n" });
    hear("b", "final", say(" "));
    expect(outcomes).toMatchObject([
      { status: "discarded", reason: "empty" },
      { status: "discarded", reason: "empty" },
    ]);
    expect(inbox.stats().dispatched).toBe(0);
  });
});

describe("R5: a message's text is its content", () => {
  it("reads a string", () => {
    const { hear, texts } = feedInbox();
    hear("r", "final", { message: { content: "Hello" } });
    expect(texts()).toEqual(["Hello"]);
  });

  it("joins text blocks without a separator and reads no other block", () => {
    const content = [
      { type: "text", text: "Hel" },
      { type: "image", text: "no" },
      { type: "thinking", text: "no" },
      { type: "text", text: "lo" },
      null,
      "no",
    ];
    const { hear, texts } = feedInbox();
    hear("r", "final", { message: { content } });
    expect(texts()).toEqual(["Hello"]);
  });
});

describe("R6: a failed or stopped run has an outcome", () => {
  it("logs the Gateway's words for an error, never the agent's", () => {
    const { hear, lines, outcomes } = feedInbox();
    hear("a", "delta", { deltaText: "part" });
    hear("a", "error", { errorMessage: "HTTP 500", errorKind: "timeout" });
    hear("b", "error", say("no quota"));
    hear("c", "error");
    expect(outcomes).toMatchObject([
      { status: "errored", error: "HTTP 500", errorKind: "timeout", text: "part" },
      { status: "errored", error: "no quota", text: "no quota" },
      { status: "errored", error: "Unknown error" },
    ]);
    const logged = lines.filter(({ level }) => level === "error").map(({ fields }) => fields["error"]);
    expect(logged).toEqual(["HTTP 500", "Unknown error", "Unknown error"]);
  });

  it("frees the buffer of an aborted run", () => {
    const { hear, inbox, outcomes } = feedInbox();
    hear("r", "delta", { deltaText: "part" });
    hear("r", "aborted");
    expect(outcomes).toMatchObject([{ status: "aborted", text: "part" }]);
    expect(inbox.runs()).toEqual([]);
    expect(inbox.stats().bufferedBytes).toBe(0);
  });
});

describe("R7: an unknown state is ignored", () => {
  it("logs it at debug", () => {
    const { hear, inbox, lines } = feedInbox();
    hear("a", "pondering");
    expect(lines).toMatchObject([{ level: "debug", fields: { runId: "a", state: "pondering" } }]);
    expect(inbox.runs()).toEqual([]);
  });
});

describe("R8: a run is given up after the TTL", () => {
  it("counts the TTL from the first event, whatever deltas follow", () => {
    const { hear, clock, lines, outcomes } = feedInbox();
    hear("a", "delta", { deltaText: "Still " });
    clock.advance(1_799_999);
    hear("a", "delta", { deltaText: "here" });
    expect(outcomes).toEqual([]);
    clock.advance(1);
    expect(outcomes).toMatchObject([{ status: "expired", runId: "a", text: "Still here" }]);
    expect(lines.at(-1)).toMatchObject({ level: "warn", fields: { runId: "a" } });
  });
});

describe("R9: a dispatched run is remembered for 60 s", () => {
  it("drops what repeats it", () => {
    const { hear, clock, inbox, texts } = feedInbox();
    hear("a", "final", say("Once"));
    clock.advance(59_999);
    hear("a", "final", say("Once"));
    hear("a", "error", { errorMessage: "after a restart" });
    expect(texts()).toEqual(["Once"]);
    expect(inbox.stats()).toMatchObject({ dispatched: 1, afterEnd: 2, errored: 0 });
  });

  it("leaves later repeats to the ledger", () => {
    const { hear, clock, inbox, texts } = feedInbox();
    hear("a", "final", say("Once"));
    clock.advance(60_000);
    hear("a", "final", say("Once"));
    expect(texts()).toEqual(["Once"]);
    expect(inbox.stats()).toMatchObject({ afterEnd: 0, alreadyTaken: 1 });
  });
});

describe("R10: a Collavre session key is read as pairs", () => {
  it("reads ids as integers", () => {
    const pairs = { agentId: "main", userId: 42, creativeId: 100, topicId: 200 };
    expect(parseSessionKey("agent:main:collavre:42:creative:100:topic:200")).toEqual(pairs);
  });

  it("reads a key that lacks its last pairs", () => {
    expect(parseSessionKey("agent:main:collavre:42")).toEqual({ agentId: "main", userId: 42 });
  });

  it("skips an unknown word by one step", () => {
    const pairs = { agentId: "main", userId: 42, creativeId: 7 };
    expect(parseSessionKey("x:agent:main:y:z:collavre:42:creative:7")).toEqual(pairs);
  });

  it("reads a blank key as an empty object", () => {
    for (const key of ["", "  ", null, undefined]) expect(parseSessionKey(key)).toEqual({});
  });
});

describe("R11: a session that is not ours is unroutable", () => {
  it("discards its message with a warning", () => {
    const { hear, lines, outcomes } = feedInbox({ session: () => undefined });
    hear("a", "final", say("Not for you"));
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "unroutable", text: "Not for you" }]);
    expect(lines).toMatchObject([{ level: "warn" }]);
  });

  it("takes a session with a creative only in the Collavre preset", () => {
    expect(collavre("agent:main:collavre:42:creative:100")).toEqual({ agentId: "main", userId: 42, creativeId: 100 });
    expect(collavre("agent:main:collavre:42")).toBeUndefined();
    expect(collavre("agent:main:main")).toBeUndefined();
  });
});

describe("R12: the Collavre preset makes Collavre's job", () => {
  it("addresses creative, topic and user", () => {
    const session = { agentId: "main", userId: 42, creativeId: 100, topicId: 200 };
    const message = { session, text: "Good morning" } as Parameters<typeof collavreJob>[0];
    expect(collavreJob(message)).toEqual({
      type: "proactive",
      content: "Good morning",
      creative_id: 100,
      user_id: 42,
      context: { creative_id: 100, thread_id: 200 },
    });
  });

  it("has null for what the key does not say", () => {
    const message = { session: { creativeId: 100 }, text: "Hi" } as Parameters<typeof collavreJob>[0];
    expect(collavreJob(message)).toMatchObject({ user_id: null, context: { thread_id: null } });
  });
});

describe("R13: handling an event never blocks", () => {
  it("calls the handler only after handle() has returned", async () => {
    const told: string[] = [];
    const { hear, inbox } = feedInbox({ deliver: ({ text }) => void told.push(text) });
    const delivered = firstValueFrom(inbox.deliveries$);
    hear("r", "final", say("Hello"));
    expect(told).toEqual([]);
    await delivered;
    expect(told).toEqual(["Hello"]);
  });

  it("hears on while the ledger has not answered and the handler hangs", async () => {
    const { promise: disk, resolve: answer } = Promise.withResolvers<"taken">();
    const ledger: Ledger = { ...createMemoryLedger(), take: () => disk };
    const { hear, inbox, texts } = feedInbox({ ledger, deliver: () => new Promise<void>(() => {}) });
    hear("r", "final", say("Hello"));
    hear("s", "delta", { deltaText: "And" });
    expect(texts()).toEqual([]);
    expect(inbox.runs()).toMatchObject([{ runId: "s", text: "And" }]);
    answer("taken");
    await turn();
    hear("t", "final", say("again"));
    await turn();
    expect(texts()).toEqual(["Hello", "again"]);
  });
});
