import { afterEach, describe, expect, it } from "vitest";
import { createInbox, type RunOutcome } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

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

function create(maxTextBytes = 4 * MiB) {
  const inbox = createInbox({ clock: createTestClock(), maxTextBytes });
  const outcomes: RunOutcome[] = [];
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  let seq = 0;
  return {
    inbox,
    outcomes,
    send: (event: object) => inbox.handle({ runId: "r", sessionKey: "k", seq: ++seq, ...event }),
  };
}

describe("a long text (maxTextBytes)", () => {
  it.each([
    ["deltaText", () => ({ deltaText: "x" })],
    ["snapshots", (text: string) => ({ deltaText: "x", message: { content: text } })],
    ["snapshots without deltaText", (text: string) => ({ message: { content: text } })],
  ])("costs each delta its own length only: %s", async (_, delta) => {
    const { inbox, send } = create();
    let text = "x".repeat(1_500_000);
    send({ state: "delta", message: { content: text } });
    const counted = countedChars();
    for (let i = 0; i < 5_000; i++) {
      text += "x";
      send({ state: "delta", ...delta(text) });
    }
    expect(counted()).toBeLessThan(2 * text.length);
    expect(inbox.runs()[0]?.text.length).toBe(text.length);
    await inbox.stop();
  });

  it.each([
    ["x", 1],
    ["ü", 2],
    ["€", 3],
  ])("ends at the same byte however it is streamed: %s", async (char, bytes) => {
    const { inbox, outcomes, send } = create(9_000);
    for (let i = 0; i < 9_000 / bytes; i++) send({ state: "delta", deltaText: char });
    expect(outcomes).toEqual([]);
    send({ state: "delta", deltaText: char });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
    await inbox.stop();
  });

  it("is counted anew when it is replaced", async () => {
    const { inbox, outcomes, send } = create(9_000);
    send({ state: "delta", deltaText: "x".repeat(9_000) });
    send({ state: "delta", replace: true, deltaText: "€".repeat(3_000) });
    expect(outcomes).toEqual([]);
    send({ state: "delta", replace: true, deltaText: "€".repeat(3_001) });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
    await inbox.stop();
  });

  it("is counted whole at its end", async () => {
    const { inbox, outcomes, send } = create(9_000);
    send({ state: "delta", deltaText: "x".repeat(4_000), message: { content: "x".repeat(4_000) } });
    send({ state: "delta", deltaText: "€", message: { content: "€".repeat(4_001) } });
    send({ state: "final" });
    expect(outcomes).toMatchObject([{ status: "errored", errorKind: "maxTextBytes" }]);
    await inbox.stop();
  });
});
