import type { SessionRow } from "../../protocol/transcript-row.ts";
import type { Place } from "../bookmark.ts";

/** The rows to compare a place with. */
export interface ReadRows {
  /** Oldest first. */
  readonly rows: readonly SessionRow[];
  /** The id of the life of their session. */
  readonly sessionId?: string | undefined;
}

/**
 * The index of the first row that was written after `place`, or the number of rows when there is none. The row at the
 * place decides. If that row is gone (the transcript was rewritten, or it was never read), the next best hint decides.
 *
 * `believesTimes`: no clock was set since the place was stored.
 */
export function firstNew({ rows, sessionId }: ReadRows, place: Place | undefined, believesTimes: boolean): number {
  if (place === undefined) return 0;
  if (place.rowId !== undefined) {
    const known = rows.findLastIndex(({ id }) => id === place.rowId);
    if (known >= 0) return known + 1;
  }
  const isOtherLife = place.sessionId !== undefined && sessionId !== undefined && place.sessionId !== sessionId;
  if (isOtherLife) return 0;
  return (
    bySeq(rows, place.seq) ??
    byRun(rows, place.lastRunId) ??
    (believesTimes ? byTime(rows, place.at) : byNearestTime(rows, place.at))
  );
}

function bySeq(rows: readonly SessionRow[], seq: number | undefined): number | undefined {
  // If all numbers are smaller, they were given out again from the start.
  if (seq === undefined || !rows.some((row) => (row.seq ?? -1) > seq)) return undefined;
  return rows.findIndex((row) => (row.seq ?? -1) > seq);
}

function byRun(rows: readonly SessionRow[], lastRunId: string | undefined): number | undefined {
  if (lastRunId === undefined) return undefined;
  const last = rows.findLastIndex(({ runId }) => runId === lastRunId);
  return last < 0 ? undefined : last + 1;
}

function byTime(rows: readonly SessionRow[], at: number | undefined): number {
  if (at === undefined) return 0;
  const first = rows.findIndex((row) => (row.at ?? Number.POSITIVE_INFINITY) > at);
  return first < 0 ? rows.length : first;
}

/** If a clock was set, a time identifies only the row that was written when the place was stored. */
function byNearestTime(rows: readonly SessionRow[], at: number | undefined): number {
  if (at === undefined) return 0;
  let nearest = -1;
  let distance = Number.POSITIVE_INFINITY;
  for (const [index, row] of rows.entries()) {
    if (row.at === undefined || Math.abs(row.at - at) > distance) continue;
    nearest = index;
    distance = Math.abs(row.at - at);
  }
  return nearest + 1;
}
