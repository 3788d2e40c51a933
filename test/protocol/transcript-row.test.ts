import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readSessionRow } from "../../src/protocol/transcript-row.ts";
import { readRecording } from "../../src/testing/recordings.ts";

const text = (words: string) => [{ type: "text", text: words }];
const mark = { runId: "run-1", id: "row-1", seq: 3, recordTimestampMs: 1_000 };

/** The rows that a recording's `session.message` events told, with the run ids of its chat events. */
function rowsOf(recording: string) {
  const payloads = readRecording(recording).flatMap(({ frame }) =>
    frame["event"] === "session.message" ? [frame["payload"] as { readonly message: unknown }] : [],
  );
  return payloads.map(({ message }) => readSessionRow(message));
}

describe("a row", () => {
  it("with a plain reply has its run, text and place", () => {
    const row = { role: "assistant", content: text("Hello."), stopReason: "stop", timestamp: 900, __openclaw: mark };
    expect(readSessionRow(row)).toEqual({
      kind: "reply",
      runId: "run-1",
      text: "Hello.",
      truncated: false,
      id: "row-1",
      seq: 3,
      at: 1_000,
    });
  });

  it("loses white space at its end and MEDIA lines", () => {
    const content = text("  Look:\nMEDIA:/pictures/a.png\nNice, MEDIA: no?\n\n");
    expect(readSessionRow({ role: "assistant", content, __openclaw: mark })?.text).toBe("Look:\nNice, MEDIA: no?");
  });

  it("that was injected keeps a MEDIA line as a part of its text", () => {
    const content = text("Look:\nMEDIA:/pictures/a.png\n");
    const row = { role: "assistant", content, model: "gateway-injected", __openclaw: { id: "m-1" } };
    expect(readSessionRow(row)).toEqual({
      kind: "injected",
      runId: "inject-m-1",
      origin: "injected",
      text: "Look:\nMEDIA:/pictures/a.png\n",
      truncated: false,
      id: "m-1",
    });
  });

  it("that was cut says so", () => {
    const row = { role: "assistant", content: text("a\n...(truncated)..."), __openclaw: { ...mark, truncated: true } };
    expect(readSessionRow(row)).toMatchObject({ kind: "reply", truncated: true });
  });

  it.each([
    ["with a tool call", { content: [{ type: "toolCall" }], stopReason: "toolUse" }],
    ["that only some fallback kept", { content: text("First."), openclawStreamFallback: { source: "segment" } }],
    ["that holds a tool call beside its text", { content: [...text("First."), { type: "toolCall" }] }],
  ])("is a step of a run that goes on: %s", (_, row) => {
    expect(readSessionRow({ role: "assistant", ...row, __openclaw: mark })).toMatchObject({
      kind: "step",
      runId: "run-1",
    });
  });

  it("names a run whose id is not masked, though it looks so", () => {
    const row = { role: "assistant", model: "gateway-injected", idempotencyKey: "run-88***" };
    expect(readSessionRow(row)).toMatchObject({ kind: "reply", runId: "run-88***" });
  });

  it.each([
    [
      "a client's prompt",
      { role: "user", idempotencyKey: "run-9:user" },
      { kind: "prompt", runId: "run-9", origin: "requested" },
    ],
    [
      "the notice of a restart",
      { role: "user", provenance: { sourceTool: "main_session_restart_recovery" } },
      { kind: "prompt" },
    ],
    [
      "a cron job's prompt, although the agent seems to say it",
      {
        role: "assistant",
        idempotencyKey: "x:user",
        provenance: { sourceTool: "cron", runId: "not-the-run" },
        __openclaw: { id: "r" },
      },
      { kind: "prompt", origin: "cron" },
    ],
    [
      "an aborted run's partial text, although it says stop",
      {
        role: "assistant",
        stopReason: "stop",
        model: "gateway-injected",
        openclawAbort: { aborted: true, runId: "run-1" },
      },
      { kind: "aborted", runId: "run-1" },
    ],
    [
      "a failed run's warning",
      { role: "assistant", stopReason: "error", __openclaw: mark },
      { kind: "failed", runId: "run-1" },
    ],
    [
      "a failed run's warning that only its key tells",
      { role: "assistant", idempotencyKey: "run-1:terminal-error" },
      { kind: "failed", runId: "run-1" },
    ],
    [
      "an injected text under the id that its chat event has",
      { role: "assistant", model: "gateway-injected", __openclaw: { id: "m-1" } },
      { kind: "injected", runId: "inject-m-1", origin: "injected" },
    ],
    [
      "an answer that is written again with its files",
      { role: "assistant", model: "gateway-injected", idempotencyKey: "run-1:assistant-media" },
      { kind: "reply", runId: "run-1", origin: "requested", isFileCopy: true },
    ],
    [
      "a client's prompt whose id the Gateway masked",
      { role: "user", idempotencyKey: "run-88***:user" },
      { kind: "prompt", origin: "requested" },
    ],
    [
      "a failed run's warning whose id the Gateway masked",
      { role: "assistant", idempotencyKey: "fc-123…cdef:terminal-error", __openclaw: { id: "m-1" } },
      { kind: "failed" },
    ],
    [
      "an answer to a command whose id the Gateway masked",
      { role: "assistant", model: "gateway-injected", idempotencyKey: "run-88***", __openclaw: { id: "m-1" } },
      { kind: "reply", runId: "row-m-1", origin: "requested" },
    ],
    [
      "an answer that is written again under an id that the Gateway masked",
      {
        role: "assistant",
        model: "gateway-injected",
        idempotencyKey: "run-88***:assistant-media",
        __openclaw: { id: "m-1" },
      },
      { kind: "reply", runId: "row-m-1", origin: "requested", isFileCopy: true },
    ],
    [
      "a bound cron job's result under the id of the job's run",
      {
        role: "assistant",
        model: "automation-result",
        openclawAutomation: { kind: "cron", jobId: "j", runId: "cron:j:5" },
      },
      { kind: "automation", runId: "cron:j:5", origin: "cron" },
    ],
  ])("has a known kind: %s", (_, row, known) => {
    const read = readSessionRow({ content: text("Words."), ...row }, { masksIds: true });
    expect(read).toMatchObject(known);
    if (!("runId" in known)) expect(read).not.toHaveProperty("runId");
  });

  it.each([
    ["a tool's result", { role: "toolResult", content: text("ok"), __openclaw: mark }],
    ["a tool within a tool", { role: "custom", content: [], __openclaw: mark }],
    [
      "a note of the Gateway's",
      { role: "assistant", content: text("Words."), provider: "openclaw", __openclaw: { id: "row" } },
    ],
    ["a run id without end", { role: "assistant", content: text("Words."), __openclaw: { runId: "x".repeat(2_000) } }],
  ])("is ignored: %s", (_, row) => {
    expect(readSessionRow(row)).toBeUndefined();
  });

  it("of any JSON is read without an error", () => {
    const keys = [
      "role",
      "content",
      "provenance",
      "__openclaw",
      "openclawAbort",
      "openclawAutomation",
      "idempotencyKey",
    ];
    const row = fc.dictionary(fc.constantFrom(...keys), fc.oneof(fc.constantFrom("assistant", "user"), fc.jsonValue()));
    fc.assert(fc.property(fc.oneof(fc.jsonValue(), row), (any) => void readSessionRow(any)));
  });
});

describe("the rows of a recorded Gateway", () => {
  it.each([
    ["a-cron-main.roster", ["reply"]],
    ["c1-cron-custom-session.subscribed", ["prompt", "reply"]],
    ["c8-cron-current-session.subscribed", ["prompt", "reply", "automation"]],
    ["g1-error-500.subscribed", ["prompt", "failed"]],
    ["h1-abort-agent-run.subscribed", ["prompt", "aborted"]],
    ["j1-tool-in-the-middle.subscribed", ["prompt", "step", "reply"]],
    ["i-no-reply.subscribed", ["prompt", "prompt"]],
  ])("have their kinds in %s", (recording, kinds) => {
    expect(rowsOf(recording).flatMap((row) => (row === undefined ? [] : [row.kind]))).toEqual(kinds);
  });
});

describe("the origin of a row's run", () => {
  const prompt = (content: string, more: object = {}) =>
    readSessionRow({ role: "user", content, __openclaw: { id: "a" }, ...more });

  it.each([
    ["[cron:cf1af704-9c94 jd3c694] Say hello.\nCurrent time: noon", {}, "cron"],
    ["[Thu 2026-11-26 07:27 UTC] [cron:cf1af704 name] Say hello.", {}, "cron"],
    ["[cron:cf1af704 name] Say hello.", { idempotencyKey: "run-1:user" }, "requested"],
    // Somebody in a channel: as 2026.7 and as 2026.9.6 tell it.
    ["Say hello.", { __openclaw: { id: "1", seq: 1, senderIsOwner: false } }, "requested"],
    ["Say hello.", { __openclaw: { id: "1", transport: { channel: "telegram" } } }, "requested"],
    ["[cron:cf1af704 name] Say hello.", { __openclaw: { id: "1", senderIsOwner: false } }, "requested"],
    ["Hello?", { idempotencyKey: "run-1:user" }, "requested"],
    ["Hello?", {}, undefined],
    ["What is [cron:1 a]?", {}, undefined],
  ])("is read from the prompt %j with %j: %s", (content, more, origin) => {
    expect(prompt(content, more)?.origin).toBe(origin);
  });

  it.each([
    ["[cron:cf1af704-9c94 Daily standup] Say hello.", { id: "cf1af704-9c94", name: "Daily standup" }],
    ["[cron:cf1af704] Say hello.", { id: "cf1af704" }],
    [`[cron:${"x".repeat(2_000)} name] Say hello.`, undefined],
    ["Hello?", undefined],
  ])("comes with the job in %j", (content, job) => {
    expect(prompt(content)?.job).toEqual(job);
  });

  it("is `requested` for the answer to a slash command", () => {
    const row = {
      role: "assistant",
      content: text("Help"),
      provider: "openclaw",
      model: "gateway-injected",
      idempotencyKey: "send-1",
      __openclaw: { id: "row-1" },
    };
    expect(readSessionRow(row)).toMatchObject({ kind: "reply", runId: "send-1", origin: "requested" });
  });

  it("is absent in a row of an older Gateway", () => {
    const row = {
      role: "assistant",
      content: text("Away words."),
      stopReason: "stop",
      provider: "stub",
      __openclaw: { id: "row-1", seq: 2 },
    };
    expect(readSessionRow(row)).toEqual({ kind: "reply", text: "Away words.", truncated: false, id: "row-1", seq: 2 });
  });
});
