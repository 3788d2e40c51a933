import type { Clock } from "../kit/clock.ts";
import type { SessionRow } from "../protocol/transcript-row.ts";

/** A run that seems to have ended, though no chat event has said so yet. */
export interface HeldRun {
  readonly runId: string;
  /** The session as live events of this run name it. */
  readonly sessionKey: string;
  /** Its rows that were heard, oldest first; none when it was only said to be over. */
  readonly rows: readonly SessionRow[];
  /** Its end was written later than this, by the Gateway's clock. */
  readonly since: number;
  /** It was missed, not just told in another way. */
  readonly recovered: boolean;
  /** How often it was held before. */
  readonly tries: number;
}

/** What {@link HeldRows} needs. */
export interface HeldRowsOptions {
  readonly clock: Clock;
  /** How many runs are held at most. */
  readonly maxRuns: number;
  /** Takes the runs whose time is up, in the order in which they were held. */
  readonly onDue: (runs: readonly HeldRun[]) => void;
}

interface Held extends HeldRun {
  readonly dueAt: number;
}

/**
 * A row of a run comes 10 to 50 ms before the run's own end, which has the better text; only a run
 * that nobody is told the end of is known by its row alone. A second tells them apart.
 */
const GRACE_MS = 1_000;

/** Keeps runs back until their own end should have come. */
export class HeldRows {
  private readonly options: HeldRowsOptions;
  /** In the order of `dueAt`: all are held for the same time. */
  private readonly held = new Map<string, Held>();
  private timer: unknown;

  constructor(options: HeldRowsOptions) {
    this.options = options;
  }

  /** How many runs are held. */
  get size(): number {
    return this.held.size;
  }

  /** Holds a run, with what was held of it already. False when there is no room. */
  hold(run: HeldRun): boolean {
    const { clock, maxRuns } = this.options;
    const before = this.held.get(run.runId);
    if (before === undefined && this.held.size >= maxRuns) return false;
    this.held.delete(run.runId);
    const known = before?.rows ?? [];
    const rows = [...known, ...run.rows.filter((row) => !known.some((one) => isSame(one, row)))];
    const since = Math.min(run.since, before?.since ?? run.since);
    this.held.set(run.runId, { ...run, rows, since, dueAt: clock.now() + GRACE_MS });
    this.timer ??= clock.setTimeout(() => this.release(), GRACE_MS);
    return true;
  }

  /** Lets go of everything. */
  clear(): void {
    this.held.clear();
    if (this.timer !== undefined) this.options.clock.clearTimeout(this.timer as never);
    this.timer = undefined;
  }

  private release(): void {
    const { clock, onDue } = this.options;
    this.timer = undefined;
    const now = clock.now();
    const due: HeldRun[] = [];
    for (const [runId, run] of this.held) {
      if (run.dueAt > now) break;
      this.held.delete(runId);
      due.push(run);
    }
    const [next] = this.held.values();
    if (next !== undefined) this.timer = clock.setTimeout(() => this.release(), next.dueAt - now);
    if (due.length > 0) onDue(due);
  }
}

/** Gateways repeat themselves. */
function isSame(one: SessionRow, other: SessionRow): boolean {
  return one.id === other.id && one.kind === other.kind && one.text === other.text;
}
