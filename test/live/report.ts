import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Result } from "./play.ts";
import { isAtLeast } from "./releases.ts";

/** How each scenario went when it was last played with a release: by release, then by the scenario's name. */
export type Matrix = Readonly<Record<string, Readonly<Record<string, Cell>>>>;

/** `reason`: why it failed, what that release cannot do, or what is otherwise there. */
interface Cell {
  readonly status: "ok" | "gap" | "failed";
  readonly reason?: string;
  /** Where its message said that it came from. */
  readonly origin?: string;
}

const FILE = fileURLToPath(new URL("matrix.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../../docs/gateway-versions.md", import.meta.url));
const [BEGIN, END] = ["<!-- made by npm run test:matrix -->", "<!-- until here -->"] as const;

/** What was kept of all that has been played. */
export function readMatrix(): Matrix {
  return JSON.parse(readFileSync(FILE, "utf8")) as Matrix;
}

/**
 * The matrix with what was just played with one release: in place of all that was known of it, or, where only some of the
 * scenarios were played, of those.
 */
export function merged(matrix: Matrix, version: string, results: readonly Result[], isWhole: boolean): Matrix {
  const cells = results.map(({ name, status, reason, origin }): [string, Cell] => {
    const told = { ...(reason !== undefined && { reason }), ...(origin !== undefined && { origin }) };
    return [name, { status: status === "closed" ? "failed" : status, ...told }];
  });
  const column = { ...(isWhole ? {} : matrix[version]), ...Object.fromEntries(cells) };
  const versions = [...new Set([...Object.keys(matrix), version])].sort((a, b) => (isAtLeast(a, b) ? 1 : -1));
  return Object.fromEntries(versions.map((each) => [each, each === version ? column : (matrix[each] ?? {})]));
}

/** Keeps the matrix, and puts its table into the page on versions. `names`: the order of its rows. */
export function writeMatrix(matrix: Matrix, names: readonly string[]): void {
  writeFileSync(FILE, `${JSON.stringify(matrix, null, 2)}\n`);
  const [before, , after] = page();
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${tableOf(matrix, names)}\n${END}${after}`);
}

/** The table that is in the page now. */
export function writtenTable(): string {
  const [, table] = page();
  return table.trim();
}

/**
 * The table in Markdown: the origin of what was handed over, or yes, a row a scenario that was played and a column a release, with what is missing or otherwise
 * below it. `names`: in which order.
 */
export function tableOf(matrix: Matrix, names: readonly string[]): string {
  const columns = Object.entries(matrix);
  const reasons: string[] = [];
  const note = (reason: string): number => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  };
  const cell = (known: Cell | undefined): string => {
    if (known === undefined) return " ";
    if (known.status === "failed") return "**fails**";
    const word = known.status === "ok" ? (known.origin ?? "yes") : "-";
    return known.reason === undefined ? word : `${word} ${note(known.reason)}`;
  };
  const played = names.filter((name) => columns.some(([, column]) => column[name] !== undefined));
  const rows = played.map((name) => `| ${name} | ${columns.map(([, column]) => cell(column[name])).join(" | ")} |`);
  return [
    `| | ${columns.map(([version]) => version).join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows,
    "",
    ...reasons.map((reason, index) => `${index + 1}. ${reason}`),
  ]
    .join("\n")
    .concat("\n");
}

function page(): readonly [before: string, table: string, after: string] {
  const text = readFileSync(PAGE, "utf8");
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${PAGE} has no place for the table: ${BEGIN} ... ${END}`);
  return [text.slice(0, start), text.slice(start + BEGIN.length, end), text.slice(end + END.length)];
}
