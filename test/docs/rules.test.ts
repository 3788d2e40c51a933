import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { codesIn, readPage, tablesIn } from "./page.ts";

const numbered = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
const kept = numbered("R", 13);
const corrected = numbered("B", 14);

const rows = tablesIn(readPage("docs/rules.md"))
  .filter(({ of }) => of === "rule")
  .flatMap((table) => table.rows.map(({ cells }) => cells));

describe("docs/rules.md", () => {
  it("has a row for each rule, in order", () => {
    expect(rows.map(([rule]) => rule)).toEqual([...kept, ...corrected]);
  });

  it.each(rows)("names an existing file for %s", (...cells) => {
    const [file = ""] = codesIn(cells.at(-1) ?? "");
    expect(existsSync(join(root, file)), file).toBe(true);
  });

  it.each([
    ["test/rules/kept.test.ts", kept],
    ["test/rules/corrected.test.ts", corrected],
  ])("has its rules specified in %s, in order", (file, rules) => {
    const specified = Array.from(readPage(file).matchAll(/^describe\("([RB]\d+): /gm), ([, rule]) => rule);
    expect(specified).toEqual(rules);
  });
});
