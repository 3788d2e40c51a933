import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageText, TextReader } from "../../src/protocol/text.ts";
import { heapGrowth } from "../helpers/heap.ts";

function read(...deltas: Parameters<TextReader["read"]>[0][]): string {
  const reader = new TextReader();
  return deltas.reduce((text, delta) => reader.read(delta, text), "");
}

const pieces = (...texts: string[]) => texts.map((messageText) => ({ messageText }));

describe("the text of a message", () => {
  it("is undefined without content", () => {
    for (const message of [undefined, null, 5, {}, { content: 5 }, { content: [] }, { content: [{ type: "text" }] }]) {
      expect(messageText(message)).toBeUndefined();
    }
  });
});

describe("the memory of a run's text", () => {
  const MB = 1_000_000;

  it.each([
    ["deltaText", (piece: string) => ({ deltaText: piece })],
    ["messages that are pieces", (piece: string) => ({ messageText: piece })],
  ])("is proportional to its characters: %s", (_, delta) => {
    const readers: unknown[] = [];
    const growth = heapGrowth(() => {
      const reader = new TextReader();
      let text = reader.read({ messageText: "A first message. " }, "");
      for (let i = 0; i < MB; i++) text = reader.read(delta("abcdefgh"[i % 8] as string), text);
      readers.push(reader, text);
    });
    // One byte a character, and at most half of that again for pieces that are loose.
    expect(growth).toBeLessThan(2 * MB);
    expect((readers[1] as string).length).toBe(MB + 17);
  });

  it("does not grow with repeated messages", () => {
    const reader = new TextReader();
    let text = reader.read({ messageText: "a" }, "");
    text = reader.read({ messageText: "ab" }, text);
    const repeat = () => {
      for (let i = 0; i < MB / 2; i++) text = reader.read({ messageText: "ab" }, text);
    };
    expect(heapGrowth(repeat)).toBeLessThan(MB / 2);
    expect(text).toBe("ab");
  });
});

describe("a text in deltas", () => {
  // Words that differ, so that no piece is by chance the beginning of the next message.
  const words = fc.uniqueArray(fc.stringMatching(/^[a-z]{4,8}[ \n]?$/), { minLength: 1, maxLength: 20 });
  const growing = (list: string[]) => list.map((_, i) => list.slice(0, i + 1).join(""));

  it("is complete from the senders of any generation", () => {
    fc.assert(
      fc.property(words, (list) => {
        const whole = list.join("");
        const snapshots = growing(list);
        expect(read(...list.map((deltaText, i) => ({ deltaText, messageText: snapshots[i] as string })))).toBe(whole);
        expect(read(...list.map((deltaText) => ({ deltaText })))).toBe(whole);
        expect(read(...pieces(...snapshots))).toBe(whole);
      }),
    );
  });
  it("is complete from pieces that do not begin alike", () => {
    fc.assert(
      fc.property(words, (list) => {
        fc.pre(list.every((word, i) => i === 0 || !word.startsWith(list[i - 1] as string)));
        expect(read(...pieces(...list))).toBe(list.join(""));
      }),
    );
  });
});
