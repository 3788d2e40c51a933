import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spokenText } from "../../src/protocol/spoken-text.ts";

/** What a row keeps, and what was heard live of the same run. */
const measured = [
  ["How to:\n\n```\nMEDIA:./dot.png\n```\nend", "How to:\n\n```\nMEDIA:./dot.png\n```\nend"],
  ["~~~\nmedia:/a.png\n~~~", "~~~\nmedia:/a.png\n~~~"],
  ["    MEDIA:./in-code.png\n\nwords", "MEDIA:./in-code.png\n\nwords"],
  ["  MEDIA:./a.png\nwords", "words"],
  ["media:./a.png\nwords", "words"],
  ["words\nMEDIA:/pictures/a.png", "words"],
  ["words\nMEDIA:https://example.org/a.png\nmore", "words\nmore"],
  ["MEDIA: photo.png\nwords", "words"],
  ['MEDIA: "my photo.png"\nwords', "words"],
  ["MEDIA:./my holiday photo.png\nwords", "words"],
  ["MEDIA:../secret.png\nwords", "words"],
  ["MEDIA: is the plural of medium.", "MEDIA: is the plural of medium."],
  ["Nice, MEDIA: no?", "Nice, MEDIA: no?"],
  ["<final>Words.</final>", "Words."],
  ['<final answer="yes">Words.</final>', "Words."],
  ["Say `<final>` in code.", "Say `<final>` in code."],
  ["<finale>Words.</finale>", "<finale>Words.</finale>"],
  ["\n\n  Words.", "Words."],
  ["Words.  \n", "Words."],
  ["a <thinking>not closed", "a"],
  ["<b>bold</b> <thinking>not closed", "<b>bold</b>"],
  ["<think>Hm.</think>Words.", "Words."],
  ["Use ``<think>`` so.", "Use ``<think>`` so."],
  ["[[reply_to_current]] Words.", "Words."],
  ["`[[reply_to_current]]` is a directive.", "`[[reply_to_current]]` is a directive."],
  ["a < b and b > a", "a < b and b > a"],
] as const;

describe("the text of a row", () => {
  it.each(measured)("turns %j into the live text %j", (row, live) => {
    expect(spokenText(row)).toBe(live);
  });

  it("stays the same when it is a live text", () => {
    for (const [, live] of measured) {
      // Without its leading blanks this is code no more.
      if (!live.startsWith("MEDIA:./in-code")) expect(spokenText(live)).toBe(live);
    }
  });

  it("is read in linear time without an error", () => {
    const pieces = [
      "<think>",
      "</think>",
      "<final>",
      "`",
      "```\n",
      "MEDIA:",
      "/a.png",
      "\n",
      "[[",
      "]]",
      " ",
      "word",
      "<",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 60 }), (parts) => {
        const once = spokenText(parts.join(""));
        expect(typeof once).toBe("string");
      }),
    );
    const startedAt = performance.now();
    for (const piece of ["<think>", "`a` <think>", "<", "[[", "MEDIA:/a.png\n", "```\n", "\n\n    code"])
      spokenText(piece.repeat(50_000));
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
