import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { createTestClock } from "../../src/testing/index.ts";
import { NOON, topic } from "./hearing.ts";
import { scriptedSource } from "./scripted-source.ts";

function open() {
  const clock = createTestClock(NOON);
  const { request: _, ...source } = scriptedSource("one", () => ({}));
  const inbox = createInbox({ source, clock });
  const told: string[] = [];
  inbox.messages$.subscribe(({ text }) => told.push(text));
  const hear = (seq: number, state: string, more: object = {}) =>
    source.event("chat", { runId: "run-1", sessionKey: topic(1), seq, state, ...more });
  return { source, inbox, told, hear };
}

describe("a run whose id begins again after a crash of the Gateway", () => {
  it("has the text of its second life, though the numbers start over", async () => {
    const { source, inbox, told, hear } = open();
    await inbox.start();
    hear(1, "delta", { deltaText: "The weather is " });
    hear(2, "delta", { deltaText: "bad" });
    source.comeBack();
    hear(1, "delta", { deltaText: "The weather is " });
    hear(2, "delta", { deltaText: "good " });
    hear(3, "delta", { deltaText: "today." });
    hear(4, "final");
    expect(told).toEqual(["The weather is good today."]);
    await inbox.stop();
  });

  it("goes on where only the connection was lost", async () => {
    const { source, inbox, told, hear } = open();
    await inbox.start();
    hear(1, "delta", { deltaText: "The weather is " });
    source.comeBack();
    hear(2, "delta", { deltaText: "good." });
    hear(3, "final");
    expect(told).toEqual(["The weather is good."]);
    await inbox.stop();
  });
});
