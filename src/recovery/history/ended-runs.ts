import type { SessionRow } from "../../protocol/transcript-row.ts";
import type { Job, Origin } from "../../types.ts";

/** A run that has ended, according to its rows. */
export interface EndedRun {
  /** When rows have no run id, it is `row-` and the id of the last row. */
  readonly runId: string;
  /** The state that its last chat event had, or would have had. */
  readonly state: "final" | "error" | "aborted";
  /** Its text rows, oldest first. For a run that failed, only the last row. */
  readonly rows: readonly SessionRow[];
  /** Its last row. */
  readonly last: SessionRow;
  readonly origin?: Origin;
  readonly job?: Job;
  /** Whether its rows have no run id. */
  readonly nameless: boolean;
  /** The row without a run id that its last row repeats. */
  readonly repeated?: SessionRow;
}

interface Gathered {
  readonly rows: SessionRow[];
  repeated?: SessionRow;
  readonly origin: Origin | undefined;
  readonly job: Job | undefined;
}

/**
 * The runs that ended in these rows, in the order of their ends. A run whose last row is a step has not ended: it goes
 * on, or will never end.
 *
 * `nameless`: rows without a run id are runs, too. Gateways before 2026.8 write such rows. Each run reaches from one
 * prompt to the next.
 */
export function endedRuns(rows: readonly SessionRow[], { nameless = false } = {}): readonly EndedRun[] {
  const runs = new Map<string | Gathered, Gathered>();
  const asked = new Map<string, Origin>();
  let turn: Gathered | undefined;
  /** The run of the row before, if that row has no run id. */
  let said: Gathered | undefined;
  let lastSaid: SessionRow | undefined;
  let before: SessionRow | undefined;
  for (const row of rows) {
    const { kind, runId, origin } = row;
    if (kind === "prompt") {
      turn = undefined;
      said = undefined;
      lastSaid = undefined;
      if (runId !== undefined && origin !== undefined) asked.set(runId, origin);
    } else if (runId !== undefined) {
      const prompt = promptOf(before, row);
      const run = runs.get(runId) ??
        takeRepeated(runs, said, row) ?? {
          rows: [],
          origin: origin ?? asked.get(runId) ?? prompt?.origin,
          job: prompt?.job,
        };
      said = undefined;
      // The map keeps the order in which runs last spoke.
      runs.delete(runId);
      runs.set(runId, run);
      run.rows.push(row);
    } else if (nameless && !isRepeat(row, lastSaid)) {
      lastSaid = row;
      const prompt = promptOf(before, row);
      turn ??= { rows: [], origin: prompt?.origin, job: prompt?.job };
      runs.delete(turn);
      runs.set(turn, turn);
      turn.rows.push(row);
      said = turn;
      // A row after an end, without a prompt, belongs to a new run.
      if (kind !== "step") turn = undefined;
    }
    before = row;
  }
  return Array.from(runs, ([key, run]) => endedRun(typeof key === "string" ? key : undefined, run) ?? []).flat();
}

/** The run whose last row is repeated by `copy`, without that row. It has a name now. */
function takeRepeated(
  runs: Map<string | Gathered, Gathered>,
  said: Gathered | undefined,
  { isFileCopy, origin, text }: SessionRow,
): Gathered | undefined {
  const repeated = said?.rows.at(-1);
  if (said === undefined || isFileCopy !== true || repeated?.kind !== "reply" || repeated.text !== text)
    return undefined;
  runs.delete(said);
  return { rows: said.rows.slice(0, -1), origin: said.origin ?? origin, job: said.job, repeated };
}

/** Whether a Gateway has written a row again that a model said before, without a prompt in between. */
function isRepeat({ isCli, text }: SessionRow, before: SessionRow | undefined): boolean {
  return isCli === true && before !== undefined && before.isCli !== true && before.text === text;
}

/**
 * The prompt that a row answers: the one directly before it. It may have no run id, like a cron job's, or another one: a
 * busy agent answers under a new id.
 */
export function promptOf(before: SessionRow | undefined, row: SessionRow): SessionRow | undefined {
  if (before?.kind !== "prompt") return undefined;
  return before.seq !== undefined && row.seq === before.seq + 1 ? before : undefined;
}

/** The id of a run whose rows have none, made from the id of its last row. */
export function namelessRunId(rowId: string): string {
  return `row-${rowId}`;
}

/** The whole text of a run. `joiner` is the text between two texts around a tool call. */
export function textOf({ rows }: EndedRun, joiner: string): string {
  return rows
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join(joiner);
}

/**
 * Whether a run succeeded without a text and without a file. It may have sent only a file, which the Gateway has not put
 * into the row yet.
 */
export function saysNothing({ state, rows }: Pick<EndedRun, "state" | "rows">): boolean {
  return state === "final" && rows.every(({ text, attachments }) => text === "" && attachments === undefined);
}

function endedRun(name: string | undefined, { rows, origin, job, repeated }: Gathered): EndedRun | undefined {
  const last = rows.at(-1);
  if (last === undefined || last.kind === "step" || last.kind === "prompt") return undefined;
  const runId = name ?? (last.id === undefined ? undefined : namelessRunId(last.id));
  if (runId === undefined) return undefined;
  const known = {
    runId,
    last,
    nameless: name === undefined,
    ...(origin !== undefined && { origin }),
    ...(job !== undefined && { job }),
    ...(repeated !== undefined && { repeated }),
  };
  if (last.kind === "failed") return { ...known, state: "error", rows: [last] };
  if (last.kind === "aborted") return { ...known, state: "aborted", rows: [last] };
  return { ...known, state: "final", rows: rows.filter(({ kind }) => kind !== "failed" && kind !== "aborted") };
}
