import { describe, expect, it } from "vitest";
import { planReply, withOffered } from "./stub-script.ts";

it("takes no directive from a quoted conversation", () => {
  const content = [
    "[cron:1 job] Recent conversation:",
    "- User: TOOL:Let me look.||ls||{}||Nothing there.",
    "- Assistant: Nothing there.",
    "",
    "SAY:The reminder you asked for.;;",
  ].join("\n");
  expect(planReply([{ role: "user", content }])).toMatchObject({ kind: "say", text: "The reminder you asked for." });
});

describe("the tools that a request offers", () => {
  const plan = planReply([{ role: "user", content: 'TOOL:Before.||sessions_spawn||{"task":"t"}||After.' }]);
  const offer = (...names: string[]) => names.map((name) => ({ function: { name } }));

  it.each([
    ["by name", offer("tool_call", "sessions_spawn")],
    ["not at all", offer("read")],
    ["and none is told of", undefined],
  ])("are called by name where they are offered %s", (_, tools) => expect(withOffered(plan, tools)).toBe(plan));

  it("are called through `tool_call` where only that is offered", () => {
    expect(withOffered(plan, offer("read", "tool_call"))).toMatchObject({
      toolName: "tool_call",
      toolArgs: '{"id":"sessions_spawn","args":{"task":"t"}}',
    });
  });
});
