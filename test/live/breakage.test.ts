import { describe, expect, it } from "vitest";
import { breakageIn } from "./breakage.ts";

describe("breakageIn", () => {
  it("recognises a broken database", () => {
    const answer = "UNAVAILABLE: Agent database cleanup failed: SQLITE_BUSY";
    expect(breakageIn(answer)).toBe(answer);
  });

  it.each([
    "waited 60 s for the message",
    "UNAVAILABLE: gateway starting",
    "401 stub says 401",
    "LLM request timed out.",
    undefined,
    null,
    { message: "Agent database cleanup failed" },
  ])("accepts any output without one: %j", (words) => {
    expect(breakageIn(words)).toBeUndefined();
  });
});
