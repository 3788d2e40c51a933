import { isInboxError } from "../errors.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";
import type { Progress } from "./bookmark.ts";
import { endedRuns } from "./history/ended-runs.ts";
import { readHistory, wholeRow } from "./history/history.ts";
import type { HeldRun } from "./pending-ends.ts";
import type { Teller } from "./report-ends.ts";
import type { Requests } from "./requests.ts";
import { historyKeyOf } from "./sessions/our-sessions.ts";

/** What a {@link Confirmation} needs. */
export interface ConfirmationOptions {
  /** Absent where the source only listens. */
  readonly requests?: Requests | undefined;
  readonly progress?: Progress | undefined;
  readonly teller: Teller;
  /** Whether a run is in `buffering` here. */
  readonly isLive: (runId: string) => boolean;
  /** Whether a run had parts before its end that its last row does not hold. */
  readonly hasSteps: (runId: string) => boolean;
  /** Keeps a run back once more. */
  readonly hold: (run: HeldRun) => void;
  readonly maxRows: number;
}

/** How often a run that may still be going on is kept back again. */
const MAX_TRIES = 3;

/**
 * Finds out how a run ended that nobody told us the end of. Its last row alone does not say: around
 * a tool call it holds the last words only, and a run may go on after it. The history does.
 */
export class Confirmation {
  private readonly options: ConfirmationOptions;

  constructor(options: ConfirmationOptions) {
    this.options = options;
  }

  /** Looks the runs up, one request for each session, and tells their ends. */
  async confirm(runs: readonly HeldRun[]): Promise<void> {
    const open = runs.filter((run) => !this.isOver(run));
    const bySession = new Map<string, HeldRun[]>();
    for (const run of open) {
      const key = historyKeyOf(run.sessionKey);
      bySession.set(key, [...(bySession.get(key) ?? []), run]);
    }
    await Promise.all(Array.from(bySession, ([key, ofSession]) => this.confirmIn(key, ofSession)));
  }

  /** Tells a run that is all in one row, and nothing else of it will come. */
  async tellRow(row: SessionRow, sessionKey: string): Promise<void> {
    const { requests, teller } = this.options;
    try {
      const whole = row.truncated && requests !== undefined ? await wholeRow(requests, sessionKey, row) : row;
      for (const run of endedRuns([whole])) teller.tell(run, sessionKey, false);
    } catch {
      this.owe(sessionKey, row.at);
    }
  }

  private isOver({ runId, rows, recovered }: HeldRun): boolean {
    const mayHaveSpoken = recovered || rows.some(({ kind }) => kind !== "failed" && kind !== "aborted");
    return this.options.teller.isKnown(runId, mayHaveSpoken ? "final" : "error");
  }

  private async confirmIn(historyKey: string, runs: readonly HeldRun[]): Promise<void> {
    const { requests, maxRows } = this.options;
    if (requests === undefined) {
      for (const run of runs) this.tellFromRows(run);
      return;
    }
    const since = Math.min(...runs.map((run) => run.since));
    try {
      const runIds = new Set(runs.map(({ runId }) => runId));
      const history = await readHistory(requests, { sessionKey: historyKey, since, runIds, maxRows });
      const ended = new Map(endedRuns(history.rows).map((run) => [run.runId, run]));
      for (const run of runs) {
        const goesOn = history.active.has(run.runId) || history.busy;
        if (goesOn && run.tries < MAX_TRIES) this.options.hold({ ...run, tries: run.tries + 1 });
        if (goesOn && (history.active.has(run.runId) || run.tries < MAX_TRIES)) continue;
        const found = ended.get(run.runId);
        if (found === undefined) this.tellFromRows(run);
        else this.options.teller.tell(found, run.sessionKey, run.recovered);
      }
    } catch (error) {
      for (const run of runs) this.giveUp(run, error);
    }
  }

  /** The history has nothing of it (its session was deleted), or cannot be asked. */
  private tellFromRows(run: HeldRun): void {
    // What is heard of it live has more of it than its row, and will end by itself.
    if (this.options.isLive(run.runId)) return;
    for (const ended of endedRuns(run.rows)) this.options.teller.tell(ended, run.sessionKey, run.recovered);
  }

  private giveUp(run: HeldRun, error: unknown): void {
    const { hasSteps, isLive } = this.options;
    const isWhole = !isLive(run.runId) && !hasSteps(run.runId) && !run.rows.some(({ truncated }) => truncated);
    if (isWhole && run.rows.length > 0 && !isInboxError(error, "ERR_INBOX_NO_LINK")) this.tellFromRows(run);
    else this.owe(run.sessionKey, run.since + 1);
  }

  private owe(sessionKey: string, at: number | undefined): void {
    const { progress } = this.options;
    progress?.owe(historyKeyOf(sessionKey), (at ?? progress.now()) - 1);
  }
}
