import type { Chart } from "./charts.ts";
import { digits, type Spread, withSpread } from "./spread.ts";

/** A limit for a figure, and the measured value. */
export interface Budget {
  readonly name: string;
  readonly limit: number;
  /** Whether `limit` is an upper or a lower bound. */
  readonly keeps: "at most" | "at least";
  readonly unit: "x" | " ms" | " s" | " µs" | " MB" | "";
  /** What a brief run lets pass: where the limit is not reached (`notes.md` says why), or where other processes decide. */
  readonly accepted?: number;
  readonly measured: Spread;
}

/** The result of one section. */
export interface Section {
  readonly title: string;
  readonly text: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly budgets: readonly Budget[];
  /** A chart of it, for the top of the page. */
  readonly chart?: Chart;
}

/** A budget that is a most. `accepted`: what a brief run lets pass. */
export function atMost(name: string, limit: number, unit: Budget["unit"], measured: Spread, accepted?: number): Budget {
  return { name, limit, keeps: "at most", unit, measured, ...(accepted !== undefined && { accepted }) };
}

export function isKept({ measured: { median }, limit, keeps }: Budget): boolean {
  return keeps === "at most" ? median <= limit : median >= limit;
}

/** Whether the budget is kept with `slack`: 1.25 accepts a quarter more. */
export function isKeptWithSlack({ accepted, ...budget }: Budget, slack: number): boolean {
  const limit = accepted ?? (budget.keeps === "at most" ? budget.limit * slack : budget.limit / slack);
  return isKept({ ...budget, limit });
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => (cells[i] ?? "")[i === 0 ? "padEnd" : "padStart"](width)).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}

export function budgetTable(budgets: readonly Budget[]): string {
  return table(
    ["budget", "limit", "measured: median (least to most)", ""],
    budgets.map((budget) => [
      budget.name,
      `${budget.keeps} ${digits(budget.limit)}${budget.unit}`,
      withSpread(budget.measured, budget.unit),
      isKept(budget) ? "kept" : "MISSED",
    ]),
  );
}

export function sectionText({ title, text, header, rows }: Section): string {
  return `## ${title}\n\n${text}\n\n${table(header, rows)}\n`;
}
