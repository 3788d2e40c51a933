import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportsOf, root } from "./declarations.ts";
import { readPage, tablesIn } from "./page.ts";

const tables = tablesIn(readPage("docs/errors.md"));

/** The words that the rows of a table begin with, by what its first column is called. */
function wordsOf(of: string): readonly string[] {
  return tables
    .filter((table) => table.of === of)
    .flatMap(({ rows }) => rows.map(({ cells: [word = ""] }) => word.replaceAll("`", "")))
    .sort();
}

/** The words that a union of words in the sources allows. */
function unionIn(file: string, name: string): readonly string[] {
  const { declaration } = exportsOf(file).find((one) => one.name === name) ?? {};
  return Array.from((declaration?.text ?? "").matchAll(/"([^"]+)"/g), ([, word = ""]) => word).sort();
}

/** Every `errorKind` that the package gives a run itself. */
function kindsInSources(): readonly string[] {
  const files = ["src/runs", "src/recovery"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(root, folder, file), "utf8")),
  );
  const kinds = files.flatMap((code) =>
    Array.from(code.matchAll(/errorKind: "(\w+)"|giveUp\(run, "(\w+)"\)/g), ([, kind, limit = ""]) => kind ?? limit),
  );
  return [...new Set(kinds)].sort();
}

describe("docs/errors.md", () => {
  it("has a row for each error code", () => {
    const codes = unionIn("src/errors.ts", "InboxErrorCode");
    expect(codes.length).toBeGreaterThan(5);
    expect(wordsOf("code")).toEqual(codes);
  });

  it("has a row for each reason of a refused ledger and a rejected frame", () => {
    expect(wordsOf("reason")).toEqual(
      [...unionIn("src/ledger/sqlite/problems.ts", "LedgerProblem"), ...unionIn("src/types.ts", "RejectReason")].sort(),
    );
  });

  it("has a row for each reason to discard a run", () => {
    expect(wordsOf("discarded because")).toEqual(unionIn("src/types.ts", "DiscardReason"));
  });

  it("has a row for each error kind of this package", () => {
    expect(kindsInSources()).toContain("maxRuns");
    expect(wordsOf("errorKind")).toEqual(kindsInSources());
  });
});
