import { RunTable } from "../run-table.ts";
import type { Activity, DeliveryOutcome, ProactiveMessage, RunOutcome, RunProgress } from "../types.ts";
import { FollowedRun, identityOf, type RunIdentity } from "./followed-run.ts";
import { Journal } from "./journal.ts";
import type { LiveRow, Rows, RunDetails, SettledRow } from "./update.ts";

/** Live runs that are followed at most; further ones are only counted. */
const MAX_LIVE = 20_000;
/** Settled runs that are remembered; one more forgets the oldest. */
const MAX_SETTLED = 1_000;
/** Rows of a list that are shown. */
const MAX_ROWS = 100;
/** Timeline entries that are kept of all runs together; fewer where each has a piece of text. */
const MAX_ENTRIES = 100_000;
const MAX_ENTRIES_WITH_TEXT = 20_000;
/** A final whose outcome is so many ms late will have none: the ledger knew its message already. */
const OUTCOME_MS = 1_000;

type Of<Kind> = Extract<Activity, { kind: Kind }>;

/** The runs that the inspector knows, by what it is told of them. Every list of it is bounded. */
export class FollowedRuns {
  /** Goes up with each change of the settled runs. */
  settledVersion = 1;
  private readonly showText: boolean;
  private readonly journal: Journal;
  private readonly known = new RunTable<FollowedRun>();
  private readonly byId = new Map<number, FollowedRun>();
  private readonly live = new Set<FollowedRun>();
  /** Live runs whose final has come, and when. */
  private readonly ending = new Map<FollowedRun, number>();
  private readonly settled = new Set<FollowedRun>();
  private lastId = 0;

  constructor(showText: boolean) {
    this.showText = showText;
    this.journal = new Journal(showText ? MAX_ENTRIES_WITH_TEXT : MAX_ENTRIES, showText);
  }

  joined({ run, progress }: Of<"joined">, now: number): void {
    this.begin(identityOf(run, run.startedAt), progress, now)?.joined(now);
  }

  event(activity: Of<"event">, now: number): void {
    const { effect, progress, event } = activity;
    if (progress !== undefined && event.state === "delta") {
      // They come by the thousand, of many runs in turn: nothing of the run itself is touched, which would be in no cache.
      this.journal.addDelta(progress, now, event);
      if (progress.deltas === 1) this.find(activity, now);
      return;
    }
    const run = this.find(activity, now);
    if (run === undefined) return;
    run.event(event, effect, now);
    if (progress !== undefined && event.state === "final") this.ending.set(run, now);
    if (run.settlement !== undefined) this.settledVersion += 1;
  }

  outcome(outcome: RunOutcome, now: number): void {
    const ended = outcome.status === "dispatched" ? outcome.message : outcome;
    const run = this.known.get(ended.gateway, ended.runId) ?? this.create(identityOf(ended, now), undefined, now);
    run.settle(outcome, now);
    this.retire(run);
  }

  /** Retires the runs that have ended without an outcome. */
  endSilent(now: number): void {
    for (const [run, since] of this.ending) {
      if (now - since < OUTCOME_MS) break;
      run.gone("its message was known already", now);
      this.retire(run);
    }
  }

  /** The inbox was stopped: there is no outcome for what was still going on. */
  endAll(now: number): void {
    for (const run of [...this.live]) {
      run.gone("the inbox was stopped", now);
      this.retire(run);
    }
  }

  attempt({ message, attempt }: Of<"attempt">, now: number): void {
    this.ofMessage(message, now).attempt(attempt, now);
  }

  retry({ message, attempt, error, delayMs }: Of<"retry">, now: number): void {
    this.ofMessage(message, now).retry(attempt, error, delayMs, now);
  }

  delivery(outcome: DeliveryOutcome, now: number): void {
    const run = this.ofMessage(outcome.message, now);
    if (outcome.status === "delivered") run.delivered(outcome.attempts, now);
    else run.died(outcome.attempts, outcome.error, now);
  }

  liveRows(total: number, now: number): Rows<LiveRow> {
    return { total, rows: newestOf(this.live).map((run) => run.liveRow(now)) };
  }

  settledRows(): Rows<SettledRow> {
    const rows = newestOf(this.settled).flatMap((run) =>
      run.settlement === undefined ? [] : [run.settledRow(run.settlement)],
    );
    return { total: this.settled.size, rows };
  }

  details(id: number, now: number): RunDetails | undefined {
    return this.byId.get(id)?.details(now);
  }

  /** The run of an event; one that begins with it is taken up. */
  private find({ progress, gateway, owner, event }: Of<"event">, now: number): FollowedRun | undefined {
    const { runId, sessionKey } = event;
    const known = this.known.get(gateway, runId);
    if (progress === undefined || known?.progress === progress) return known;
    if (known !== undefined && event.state === "final") return this.reopen(known);
    return this.begin(identityOf({ gateway, runId, owner, sessionKey }, now), progress, now);
  }

  /** A final has come after all: a run that had settled goes on as it was. */
  private reopen(run: FollowedRun): FollowedRun {
    this.settled.delete(run);
    run.settlement = undefined;
    this.live.add(run);
    return run;
  }

  private begin(identity: RunIdentity, progress: RunProgress, now: number): FollowedRun | undefined {
    if (this.live.size >= MAX_LIVE) return undefined;
    const run = this.create(identity, progress, now);
    this.live.add(run);
    return run;
  }

  private create(identity: RunIdentity, progress: RunProgress | undefined, now: number): FollowedRun {
    this.lastId += 1;
    const run = new FollowedRun(this.lastId, identity, progress, this.journal, this.showText, now);
    this.known.set(identity.gateway, identity.runId, run);
    this.byId.set(run.id, run);
    return run;
  }

  private retire(run: FollowedRun): void {
    this.settledVersion += 1;
    this.live.delete(run);
    this.ending.delete(run);
    this.settled.add(run);
    if (this.settled.size <= MAX_SETTLED) return;
    const [oldest] = this.settled;
    if (oldest === undefined) return;
    this.settled.delete(oldest);
    const { gateway, runId } = oldest.identity;
    if (this.known.get(gateway, runId) === oldest) this.known.delete(gateway, runId);
    this.byId.delete(oldest.id);
  }

  /** The run of a message; one that was dispatched before anyone looked is taken up as it is. */
  private ofMessage(message: ProactiveMessage, now: number): FollowedRun {
    const known = this.known.get(message.gateway, message.runId);
    this.settledVersion += 1;
    if (known !== undefined) return known;
    const run = this.create(identityOf(message, message.startedAt), undefined, now);
    run.settle({ status: "dispatched", message }, now);
    this.retire(run);
    return run;
  }
}

/** The newest runs of many, the newest first. */
function newestOf(runs: ReadonlySet<FollowedRun>): FollowedRun[] {
  let older = runs.size - MAX_ROWS;
  const newest: FollowedRun[] = [];
  for (const run of runs) {
    older -= 1;
    if (older < 0) newest.push(run);
  }
  return newest.reverse();
}
