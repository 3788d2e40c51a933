import { describe, expect, it } from "vitest";
import { breakageIn } from "./breakage.ts";

describe("breakageIn", () => {
  it.each([
    "UNAVAILABLE: Agent database cleanup failed: SQLITE_BUSY",
    "Error: Agent database open was revoked: state/agents/main/agent/openclaw-agent.sqlite",
    "Error: Agent database open was replaced: state/agents/main/agent/openclaw-agent.sqlite",
    "Error: Agent database closed before its admitted operation: state/openclaw-agent.sqlite",
    "Agent database admission failed: state/agents/main/agent/openclaw-agent.sqlite",
  ])("recognises a broken database: %s", (answer) => {
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
