import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineSessionKey, isInboxError, parseSessionKey } from "../../src/index.ts";

describe("parseSessionKey", () => {
  it("reads any key without an error", () => {
    fc.assert(fc.property(fc.string(), (key) => void parseSessionKey(key)));
  });
});

describe("defineSessionKey", () => {
  it("reads the words that were defined", () => {
    const read = defineSessionKey({ agent: { as: "agentId" }, room: { as: "roomId", type: "integer" } });
    expect(read("agent:main:room:5:door:6")).toEqual({ agentId: "main", roomId: 5 });
  });
  it("refuses a word with a colon and two words with one name", () => {
    for (const words of [{ "a:b": { as: "x" } }, { a: { as: "x" }, b: { as: "x" } }]) {
      expect(() => defineSessionKey(words)).toThrow(
        expect.toSatisfy((error) => isInboxError(error, "ERR_INBOX_OPTION")),
      );
    }
  });
});
