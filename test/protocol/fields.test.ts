import { describe, expect, it } from "vitest";
import { MAX_ID_CHARS, MAX_WORDS_CHARS, readId, readWords } from "../../src/protocol/fields.ts";
import { readFrame } from "../../src/protocol/frame.ts";
import { readSessionRow } from "../../src/protocol/transcript-row.ts";

const longest = "x".repeat(MAX_ID_CHARS);
const tooLong = `${longest}x`;

describe("an id", () => {
  it("is a string up to the limit", () => {
    expect(readId(longest)).toBe(longest);
    for (const value of [tooLong, "", 5, null, undefined, {}, Object("x")]) expect(readId(value)).toBeUndefined();
  });

  const event = (event: string, payload: object) => JSON.stringify({ type: "event", event, payload });
  it.each([
    ["agent", (id: string) => ({ runId: id, isHeartbeat: true, sessionKey: "agent:main:main" })],
    ["agent", (id: string) => ({ runId: "r", sessionKey: id })],
    ["agent", (id: string) => ({ runId: "r", sessionKey: "k", spawnedBy: id })],
    ["sessions.changed", (id: string) => ({ sessionKey: "k", sessionId: id })],
    ["sessions.changed", (id: string) => ({ session: { key: id } })],
    ["sessions.changed", (id: string) => ({ session: { key: "k", spawnedBy: id } })],
    ["session.message", (id: string) => ({ sessionKey: "k", message: { role: "user", idempotencyKey: id } })],
    ["session.message", (id: string) => ({ sessionKey: "k", message: { __openclaw: { id } } })],
    ["session.message", (id: string) => ({ sessionKey: "k", message: { __openclaw: { runId: id } } })],
    ["session.message", (id: string) => ({ sessionKey: "k", message: { openclawAutomation: { runId: id } } })],
    ["session.message", (id: string) => ({ sessionKey: "k", message: { openclawAbort: { runId: id } } })],
  ])("above the limit rejects a %s event", (name, payload) => {
    expect(readFrame(event(name, payload(longest)), 1e6)).toMatchObject({ event: name });
    expect(readFrame(event(name, payload(tooLong)), 1e6)).toMatchObject({ reason: "bad-id" });
  });

  it("above the limit is not read from a row", () => {
    const row = { role: "assistant", content: "Hi", __openclaw: { id: tooLong, runId: "r" } };
    expect(readSessionRow(row)).toBeUndefined();
    expect(readSessionRow({ ...row, __openclaw: { runId: tooLong } })).toBeUndefined();
  });
});

describe("a text from outside", () => {
  it("is cut at the limit", () => {
    expect(readWords("Overloaded")).toBe("Overloaded");
    expect(readWords("x".repeat(MAX_WORDS_CHARS))).toHaveLength(MAX_WORDS_CHARS);
    expect(readWords("x".repeat(1_000_000))).toBe(`${"x".repeat(MAX_WORDS_CHARS - 1)}…`);
    for (const value of ["", 5, null, undefined, {}]) expect(readWords(value)).toBeUndefined();
  });
});
