import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { codesIn, readPage, tablesIn } from "./page.ts";

const rules = tablesIn(readPage("docs/from-collavre.md"))
  .filter(({ of }) => of === "rule")
  .flatMap(({ rows }) => rows.map(({ cells }) => cells));

describe("docs/from-collavre.md", () => {
  it("has a row for each rule", () => {
    const numbered = (letter: string) => Array.from({ length: 13 }, (_, index) => `${letter}${index + 1}`);
    expect(rules.map(([rule]) => rule)).toEqual([...numbered("R"), ...numbered("B")]);
  });

  it.each(rules)(
    "shows where %s is, and a test that is there",
    (rule = "", _ruby = "", _here = "", where = "", proof = "") => {
      const [file = ""] = codesIn(where);
      const [test = ""] = codesIn(proof);
      const [, title = `"${rule}: `] = /: "(.*)"$/.exec(proof) ?? [];
      expect(existsSync(join(root, file)), file).toBe(true);
      expect(readPage(test)).toContain(title);
    },
  );
});
