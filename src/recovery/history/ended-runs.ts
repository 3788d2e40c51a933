import type { SessionRow } from "../../protocol/transcript-row.ts";
import type { Origin } from "../../types.ts";

/** A run that has ended, as its rows tell it. */
export interface EndedRun {
  readonly runId: string;
  /** The state that its last chat event had, or would have had. */
  readonly state: "final" | "error" | "aborted";
  /** Of a final, the whole text; else what the last row says. */
  readonly text: string;
  /** When its last row was written, by the Gateway's clock. */
  readonly at?: number;
  readonly origin?: Origin;
  /** Part of the text was cut and could not be had in full. */
  readonly truncated: boolean;
}

interface Gathered {
  readonly rows: SessionRow[];
  readonly origin: Origin | undefined;
}

/**
 * The runs that ended in these rows, in the order of their ends. A run whose last row is a step has
 * not ended: it goes on, or nobody will ever end it.
 */
export function endedRuns(rows: readonly SessionRow[]): readonly EndedRun[] {
  const runs = new Map<string, Gathered>();
  const asked = new Map<string, Origin>();
  let before: SessionRow | undefined;
  for (const row of rows) {
    const { kind, runId, origin } = row;
    if (kind === "prompt") {
      if (runId !== undefined && origin !== undefined) asked.set(runId, origin);
    } else if (runId !== undefined) {
      const run = runs.get(runId) ?? { rows: [], origin: origin ?? asked.get(runId) ?? originAfter(before, row) };
      // Last in the map is last to have spoken.
      runs.delete(runId);
      runs.set(runId, run);
      run.rows.push(row);
    }
    before = row;
  }
  return Array.from(runs, ([runId, run]) => endedRun(runId, run) ?? []).flat();
}

/** A cron job's prompt does not name its run: it is the one that answers it directly. */
export function originAfter(before: SessionRow | undefined, row: SessionRow): Origin | undefined {
  if (before?.kind !== "prompt" || before.runId !== undefined) return undefined;
  const adjacent = before.seq !== undefined && row.seq === before.seq + 1;
  return adjacent ? before.origin : undefined;
}

function endedRun(runId: string, { rows, origin }: Gathered): EndedRun | undefined {
  const last = rows.at(-1);
  if (last === undefined || last.kind === "step" || last.kind === "prompt") return undefined;
  const known = { runId, ...(origin !== undefined && { origin }), ...(last.at !== undefined && { at: last.at }) };
  if (last.kind === "failed") return { ...known, state: "error", text: last.text, truncated: false };
  if (last.kind === "aborted") return { ...known, state: "aborted", text: last.text, truncated: false };
  const said = rows.filter(({ kind, text }) => kind !== "failed" && kind !== "aborted" && text !== "");
  // Live, the text on either side of a tool call is joined by a blank line.
  const text = said.map((row) => row.text).join("\n\n");
  return { ...known, state: "final", text, truncated: said.some(({ truncated }) => truncated) };
}
