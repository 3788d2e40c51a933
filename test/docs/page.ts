import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./declarations.ts";

/** A part of a page below one heading. */
export interface Section {
  /** The names in the heading. */
  readonly names: readonly string[];
  readonly text: string;
  /** Those before the first heading below this one. */
  readonly tables: readonly Table[];
}

/** A table, by what its first column is called. */
export interface Table {
  readonly of: string;
  readonly rows: readonly Row[];
}

/** One row, by the name that its first cell begins with. */
export interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

export function readPage(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The sections of `page` under headings of this depth, each up to the next of it. */
export function sectionsOf(page: string, depth: number): readonly Section[] {
  return page
    .split(new RegExp(`^${"#".repeat(depth)} (?=\`)`, "m"))
    .slice(1)
    .map((text) => {
      const [heading = ""] = text.split("\n", 1);
      return { names: codesIn(heading), text, tables: tablesIn(text.split(/^#+ `/m)[0] ?? "") };
    });
}

/** Every `code` in a text. */
export function codesIn(text: string): readonly string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code = ""]) => code);
}

/** Every table of a text. */
export function tablesIn(text: string): readonly Table[] {
  const tables = text.matchAll(/^\| *([^|]*?) *\|.*\n\|[-| ]+\|\n((?:\|.*(?:\n|$))+)/gm);
  return Array.from(tables, ([, of = "", lines = ""]) => {
    const rows = lines
      .trim()
      .split("\n")
      .map((line) => {
        const cells = line
          .split(/(?<!\\)\|/)
          .slice(1, -1)
          .map((cell) => cell.trim());
        return { name: /^`"?([\w$]+)/.exec(cells[0] ?? "")?.[1] ?? "", cells };
      });
    return { of, rows };
  });
}
