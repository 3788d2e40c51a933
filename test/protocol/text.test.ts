import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageText, TextReader } from "../../src/protocol/text.ts";
import { heapGrowth } from "../helpers/heap.ts";

function read(...deltas: Parameters<TextReader["read"]>[0][]): string {
  const reader = new TextReader();
  return deltas.reduce((text, delta) => reader.read(delta, text), "");
}

const pieces = (...texts: string[]) => texts.map((messageText) => ({ messageText }));

describe("the text of a message (R5)", () => {
  it("is its content when that is a string", () => {
    expect(messageText({ content: "Hello" })).toBe("Hello");
  });
  it("is its text blocks joined without a separator, and no other block", () => {
    const content = [
      { type: "text", text: "Hel" },
      { type: "image", text: "no" },
      { type: "text", text: "lo" },
      null,
      "no",
    ];
    expect(messageText({ content })).toBe("Hello");
  });
  it("is undefined where there is none", () => {
    for (const message of [undefined, null, 5, {}, { content: 5 }, { content: [] }, { content: [{ type: "text" }] }]) {
      expect(messageText(message)).toBeUndefined();
    }
  });
});

describe("the text of a run (B1)", () => {
  it("is the message of the last delta on protocol 4, even after a missed delta", () => {
    expect(read({ deltaText: "a", messageText: "a" }, { deltaText: "c", messageText: "abc" })).toBe("abc");
  });
  it("is right for a run joined midway", () => {
    expect(read({ deltaText: " tail", messageText: "the head and the tail" })).toBe("the head and the tail");
  });
  it("appends deltaText where there is no message", () => {
    expect(read({ deltaText: "Hel" }, { deltaText: "lo" }, { deltaText: " " }, { deltaText: "you" })).toBe("Hello you");
  });
  it("starts again at replace, to the empty string or to a text", () => {
    expect(read({ deltaText: "wrong" }, { deltaText: "", replace: true }, { deltaText: "right" })).toBe("right");
    expect(read({ deltaText: "wrong" }, { deltaText: "right", replace: true })).toBe("right");
    expect(read({ messageText: "wrong" }, { messageText: "right", replace: true })).toBe("right");
  });
  it("takes growing messages for the text so far", () => {
    expect(read(...pieces("Hello", "Hello wor", "Hello world"))).toBe("Hello world");
    expect(read(...pieces("H", "He", "Hel", "Hello", "Hello"))).toBe("Hello");
  });
  it("takes other messages for pieces", () => {
    expect(read(...pieces("Hello ", "world", "!"))).toBe("Hello world!");
    expect(read(...pieces("ha", "ha", "ha"))).toBe("hahaha");
  });
  it("changes its mind when a later message tells", () => {
    expect(read(...pieces(" ", " world", "!"))).toBe("  world!");
    expect(read(...pieces("Hello", "Hello", "Hello world"))).toBe("Hello world");
  });
  it("keeps white space, which is text (B2)", () => {
    expect(read(...pieces("two", " ", "words"))).toBe("two words");
  });
  it("follows a snapshot that shrinks after a retry", () => {
    expect(read(...pieces("The quick", "The quick brown", "The"))).toBe("The");
  });
});

describe("the memory of a text", () => {
  const MB = 1_000_000;

  it.each([
    ["deltaText", (piece: string) => ({ deltaText: piece })],
    ["messages that are pieces", (piece: string) => ({ messageText: piece })],
  ])("is that of its characters, not of its pieces: %s", (_, delta) => {
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

  it("does not grow by messages that are repeated", () => {
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

describe("any text, sent by any generation of senders", () => {
  // Words that differ, so that no piece is by chance the beginning of the next message.
  const words = fc.uniqueArray(fc.stringMatching(/^[a-z]{4,8}[ \n]?$/), { minLength: 1, maxLength: 20 });
  const growing = (list: string[]) => list.map((_, i) => list.slice(0, i + 1).join(""));

  it("comes out whole", () => {
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
  it("comes out whole from pieces that are not each other's beginning", () => {
    fc.assert(
      fc.property(words, (list) => {
        fc.pre(list.every((word, i) => i === 0 || !word.startsWith(list[i - 1] as string)));
        expect(read(...pieces(...list))).toBe(list.join(""));
      }),
    );
  });
});
