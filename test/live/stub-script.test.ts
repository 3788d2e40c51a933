import { expect, it } from "vitest";
import { planReply } from "./stub-script.ts";

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
