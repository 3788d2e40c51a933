import { afterEach, describe, expect, it } from "vitest";
import { feedInbox } from "../helpers/fed-inbox.ts";

let restore = () => {};
afterEach(() => restore());

/** Counts the characters whose bytes are counted. */
function countedChars() {
  const { byteLength } = Buffer;
  let chars = 0;
  // No mock: it would keep each text.
  Buffer.byteLength = (text: string) => {
    chars += text.length;
    return byteLength(text);
  };
  restore = () => {
    Buffer.byteLength = byteLength;
  };
  return () => chars;
}

const MiB = 1_048_576;

describe("a long text (maxTextBytes)", () => {
  it.each([
    ["deltaText", () => ({ deltaText: "x" })],
    ["snapshots", (text: string) => ({ deltaText: "x", message: { content: text } })],
    ["snapshots without deltaText", (text: string) => ({ message: { content: text } })],
  ])("costs each delta its own length only: %s", (_, delta) => {
    const { inbox, hear } = feedInbox({ maxTextBytes: 4 * MiB });
    let text = "x".repeat(1_500_000);
    hear("r", "delta", { message: { content: text } });
    const counted = countedChars();
    for (let i = 0; i < 5_000; i++) {
      text += "x";
      hear("r", "delta", delta(text));
    }
    expect(counted()).toBeLessThan(2 * text.length);
    expect(inbox.runs()[0]?.text.length).toBe(text.length);
  });

  it.each([
    ["x", 1],
    ["ü", 2],
    ["€", 3],
  ])("ends at the same byte however it is streamed: %s", (char, bytes) => {
    const { outcomes, hear } = feedInbox({ maxTextBytes: 9_000 });
    for (let i = 0; i < 9_000 / bytes; i++) hear("r", "delta", { deltaText: char });
    expect(outcomes).toEqual([]);
    hear("r", "delta", { deltaText: char });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
  });

  it("is counted anew when it is replaced", () => {
    const { outcomes, hear } = feedInbox({ maxTextBytes: 9_000 });
    hear("r", "delta", { deltaText: "x".repeat(9_000) });
    hear("r", "delta", { replace: true, deltaText: "€".repeat(3_000) });
    expect(outcomes).toEqual([]);
    hear("r", "delta", { replace: true, deltaText: "€".repeat(3_001) });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
  });

  it("is counted whole at its end", () => {
    const { outcomes, hear } = feedInbox({ maxTextBytes: 9_000 });
    hear("r", "delta", { deltaText: "x".repeat(4_000), message: { content: "x".repeat(4_000) } });
    hear("r", "delta", { deltaText: "€", message: { content: "€".repeat(4_001) } });
    hear("r", "final");
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
  });
});
