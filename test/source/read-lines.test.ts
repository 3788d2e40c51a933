import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLines } from "../../src/source/recording/read-lines.ts";

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

describe("the lines of a text", () => {
  it("are the same wherever the text is cut", async () => {
    const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "\n", "\r", "é"), maxLength: 8 }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const expected = parts.join("").split("\n");
        if (expected.at(-1) === "") expected.pop();
        const lines: string[] = [];
        for await (const line of readLines(each(parts))) lines.push(line);
        expect(lines).toEqual(expected.map((line) => line.replace(/\r$/, "")));
      }),
    );
  });

  it("are cut above the limit", async () => {
    const lines: string[] = [];
    for await (const line of readLines(each(["aaaa", "bbbb", "cccc", "dddd\nok\n"]), 6)) lines.push(line);
    expect(lines).toEqual(["aaaabbbb", "ok"]);
  });
});
