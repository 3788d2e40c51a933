import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collavre, collavreJob, defineSessionKey, isInboxError, parseSessionKey } from "../../src/index.ts";

describe("a Collavre session key (R10)", () => {
  it("is read as pairs", () => {
    expect(parseSessionKey("agent:main:collavre:42:creative:100:topic:200")).toEqual({
      agentId: "main",
      userId: 42,
      creativeId: 100,
      topicId: 200,
    });
  });
  it("may lack its last pairs", () => {
    expect(parseSessionKey("agent:main:collavre:42")).toEqual({ agentId: "main", userId: 42 });
  });
  it("may hold unknown words, which are skipped one step", () => {
    expect(parseSessionKey("x:agent:main:y:z:collavre:42:creative:7")).toEqual({
      agentId: "main",
      userId: 42,
      creativeId: 7,
    });
  });
  it("is read without regard to case (B9)", () => {
    expect(parseSessionKey("Agent:Main:COLLAVRE:42")).toEqual({ agentId: "main", userId: 42 });
  });
  it("gives an empty object when blank", () => {
    for (const key of ["", "  ", null, undefined]) expect(parseSessionKey(key)).toEqual({});
  });
  it("leaves out an id that is not a whole number (B6)", () => {
    expect(parseSessionKey("agent:main:collavre:bob:creative:1.5:topic:")).toEqual({ agentId: "main" });
    expect(parseSessionKey("creative:99999999999999999999")).toEqual({});
  });
  it("never throws, whatever the key", () => {
    fc.assert(fc.property(fc.string(), (key) => void parseSessionKey(key)));
  });
});

describe("the Collavre preset", () => {
  it("takes a conversation with a creative, and no other (R11)", () => {
    expect(collavre("agent:main:collavre:42:creative:100")).toEqual({ agentId: "main", userId: 42, creativeId: 100 });
    expect(collavre("agent:main:collavre:42")).toBeUndefined();
    expect(collavre("agent:main:main")).toBeUndefined();
  });
  it("makes the job that Collavre's queue expects (R12)", () => {
    const session = { agentId: "main", userId: 42, creativeId: 100, topicId: 200 };
    const message = { session, text: "Good morning" } as Parameters<typeof collavreJob>[0];
    expect(collavreJob(message)).toEqual({
      type: "proactive",
      content: "Good morning",
      creative_id: 100,
      user_id: 42,
      context: { creative_id: 100, thread_id: 200 },
    });
    const bare = { session: { creativeId: 100 }, text: "Hi" } as Parameters<typeof collavreJob>[0];
    expect(collavreJob(bare)).toMatchObject({ user_id: null, context: { thread_id: null } });
  });
});

describe("a session key of one's own", () => {
  it("is read by the words that were defined", () => {
    const read = defineSessionKey({ agent: { as: "agentId" }, room: { as: "roomId", type: "integer" } });
    expect(read("agent:main:room:5:door:6")).toEqual({ agentId: "main", roomId: 5 });
  });
  it("refuses a word with a colon, and two words with one name", () => {
    for (const words of [{ "a:b": { as: "x" } }, { a: { as: "x" }, b: { as: "x" } }]) {
      expect(() => defineSessionKey(words)).toThrow(
        expect.toSatisfy((error) => isInboxError(error, "ERR_INBOX_OPTION")),
      );
    }
  });
});
