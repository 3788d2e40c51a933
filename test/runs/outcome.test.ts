import { describe, expect, it } from "vitest";
import { feedInbox, say } from "../helpers/fed-inbox.ts";

describe("a host's own functions", () => {
  const broken = () => {
    throw new Error("bug");
  };

  it("declines what `accept` refuses", () => {
    const { hear, outcomes } = feedInbox({ accept: ({ text }) => text !== "no" });
    hear("a", "final", say("no"));
    hear("b", "final", say("yes"));
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "declined", text: "no" }, { status: "dispatched" }]);
  });

  it("hands over a message whose `accept` throws and counts the error", () => {
    const { hear, inbox, texts } = feedInbox({ accept: broken });
    hear("a", "final", say("kept"));
    expect(texts()).toEqual(["kept"]);
    expect(inbox.stats().hostErrors).toBe(1);
  });

  it("keeps the text of a message whose `session` throws in its outcome", () => {
    const { hear, inbox, outcomes } = feedInbox({ session: broken });
    hear("a", "final", say("kept in the outcome"));
    expect(outcomes).toMatchObject([{ reason: "unroutable", text: "kept in the outcome" }]);
    expect(inbox.stats().hostErrors).toBe(1);
  });
});

describe("limits", () => {
  it("ends a run above `maxRuns` as an error and hands its final over", () => {
    const { hear, inbox, outcomes, texts } = feedInbox({ maxRuns: 2 });
    for (const run of ["a", "b", "c"]) hear(run, "delta", { deltaText: run });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxRuns", runId: "c" }]);
    hear("c", "final", say("c in full"));
    hear("d", "final", say("d needs no buffer"));
    expect(texts().slice(1)).toEqual(["c in full", "d needs no buffer"]);
    expect(inbox.stats()).toMatchObject({ liveRuns: 2, overLimit: 1 });
  });

  it("ends a run above `maxTextBytes` as an error with its text so far", () => {
    const { hear, outcomes } = feedInbox({ maxTextBytes: 10 });
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

  it("ends the run that exceeds `maxBufferedBytes` as an error", () => {
    const { hear, inbox, outcomes } = feedInbox({ maxBufferedBytes: 20 });
    hear("a", "delta", { deltaText: "12345" });
    hear("b", "delta", { deltaText: "123456" });
    expect(outcomes).toMatchObject([{ errorKind: "maxBufferedBytes", runId: "b" }]);
    expect(inbox.stats().bufferedBytes).toBe(10);
  });

  it("forgets settled runs above `maxSettledRuns`, which the ledger still knows", () => {
    const { hear, inbox, texts } = feedInbox({ maxSettledRuns: 1 });
    for (const run of ["a", "b", "a"]) hear(run, "final", say(run));
    expect(texts()).toEqual(["a", "b"]);
    expect(inbox.stats()).toMatchObject({ settledEvicted: 2, alreadyTaken: 1 });
  });

  it("keeps no more than 16 MiB of texts for late finals", () => {
    const { hear, outcomes } = feedInbox({ settledWindowMs: 600_000 });
    const words = "x".repeat(2_000_000);
    for (let run = 0; run < 6; run += 1) {
      hear(`r${run}`, "delta", { deltaText: words });
      hear(`r${run}`, "error", { errorMessage: "Overloaded" });
    }
    for (let run = 0; run < 6; run += 1) hear(`r${run}`, "final");
    expect(outcomes.filter(({ status }) => status === "dispatched")).toHaveLength(4);
  });
});

describe("a final", () => {
  const text = (words: string) => ({ type: "text", text: words });

  it.each([
    "NO_REPLY",
    "HEARTBEAT_OK",
    " no_reply\n",
    "**NO_REPLY**",
    "NO_REPLY NO_REPLY",
    "HEARTBEAT_OK.",
    "(no output)",
  ])("is empty when it says %j", (silence) => {
    const { hear, outcomes } = feedInbox();
    hear("r", "delta", { deltaText: silence });
    hear("r", "final", say(silence));
    expect(outcomes).toMatchObject([{ status: "discarded", reason: "empty" }]);
  });

  it.each(["NO_REPLY is what I would say.", "It said HEARTBEAT_OK", "NO REPLY", "NO_REPLYING", "..."])(
    "is a message when it says %j",
    (words) => {
      const { hear, texts } = feedInbox();
      hear("r", "final", say(words));
      expect(texts()).toEqual([words]);
    },
  );

  it("is a message when it says NO_REPLY and `handOverSilence` is set", () => {
    const { hear, texts } = feedInbox({ handOverSilence: true });
    hear("r", "final", say("NO_REPLY"));
    expect(texts()).toEqual(["NO_REPLY"]);
  });

  it.each(["user", "toolResult", "system"])("has no text of its own in the role %s", (role) => {
    const { hear, texts } = feedInbox();
    const message = { role, content: [text("Not mine.")] };
    hear("alone", "final", { message });
    hear("spoken", "delta", { deltaText: "Mine." });
    hear("spoken", "final", { message });
    expect(texts()).toEqual(["discarded: ", "Mine."]);
  });

  it("is a message when it has an image, with text or without", () => {
    const { hear, texts } = feedInbox();
    const final = (runId: string, ...content: object[]) =>
      hear(runId, "final", { message: { role: "assistant", content } });
    final("image", { type: "image", url: "/media/1" });
    final("canvas", { type: "canvas" });
    final("both", text("Look:"), { type: "image" });
    final("thought", { type: "thinking", thinking: "Hm." });
    expect(texts()).toEqual(["", "", "Look:", "discarded: "]);
  });

  it("says which agent spoke", () => {
    const { hear, outcomes } = feedInbox();
    hear("r", "final", { ...say("Hello."), agentId: "helper" });
    expect(outcomes).toMatchObject([{ message: { agentId: "helper" } }]);
  });

  it("has the origin that its session key proves", () => {
    const { hear, outcomes } = feedInbox();
    const key = "agent:main:cron:job-1:run:1";
    hear("r", "status", { sessionKey: key });
    hear("r", "final", { ...say("Good morning."), sessionKey: key });
    expect(outcomes).toMatchObject([{ message: { origin: "cron" } }]);
  });
});

describe("a run without a message", () => {
  const JOB = "agent:main:cron:job-1";

  it("says when it began and where it came from, however it ended", () => {
    const { clock, hear, inbox, outcomes } = feedInbox({ ttlMs: 60_000, maxRuns: 6, accept: () => false });
    const ends: Readonly<Record<string, (runId: string, more: object) => void>> = {
      errored: (runId, more) => hear(runId, "error", { errorMessage: "overloaded", ...more }),
      aborted: (runId, more) => hear(runId, "aborted", more),
      declined: (runId, more) => hear(runId, "final", { ...say("Hello"), ...more }),
      empty: (runId, more) => hear(runId, "final", more),
      solicited: (runId) => inbox.solicit(runId),
      expired: () => clock.advance(60_000),
    };
    for (const runId of Object.keys(ends)) hear(runId, "delta", { deltaText: "Hel", sessionKey: JOB });
    hear("over", "delta", { deltaText: "One too many", sessionKey: JOB });
    clock.advance(2_000);
    for (const [runId, end] of Object.entries(ends)) end(runId, { sessionKey: JOB });
    expect(outcomes.map((outcome) => "runId" in outcome && outcome.runId)).toEqual(["over", ...Object.keys(ends)]);
    for (const outcome of outcomes) {
      const asked = "reason" in outcome && outcome.reason === "solicited";
      expect(outcome).toMatchObject({ startedAt: 1_000, origin: asked ? "requested" : "cron" });
    }
  });

  it("has the origin that was told apart from its events", () => {
    const { hear, outcomes } = feedInbox();
    hear("r", "status");
    hear("r", "error");
    hear("s", "error");
    hear("r", "final", say("After all."));
    expect(outcomes).toMatchObject([
      { origin: "requested" },
      { origin: "unknown" },
      { message: { origin: "requested", late: true } },
    ]);
  });
});
