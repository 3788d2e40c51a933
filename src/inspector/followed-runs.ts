import type { Inbox } from "../inbox-api.ts";
import { RunTable } from "../run-table.ts";
import type { Activity, DeliveryOutcome, ProactiveMessage, RunOutcome } from "../types.ts";
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

/** A power of 2, so that the lower bits of a number lead to its slot. */
const SLOTS = 32_768;

type EventActivity = Extract<Activity, { kind: "event" }>;

/** The runs that the inspector knows, by what it is told of them. Every list of it is bounded. */
export class FollowedRuns {
  /** Goes up with each change of the settled runs. */
  settledVersion = 1;
  private readonly showText: boolean;
  private readonly journal: Journal;
  private readonly known = new RunTable<FollowedRun>();
  private readonly byId = new Map<number, FollowedRun>();
  /** Where the run of an event is looked for first: at the lower bits of its number. */
  private readonly slots: (FollowedRun | undefined)[] = new Array(SLOTS).fill(undefined);
  private readonly live = new Set<FollowedRun>();
  /** Live runs whose final has come, and when. */
  private readonly ending = new Map<FollowedRun, number>();
  private readonly settled = new Set<FollowedRun>();
  private lastId = 0;

  constructor(showText: boolean) {
    this.showText = showText;
    this.journal = new Journal(showText ? MAX_ENTRIES_WITH_TEXT : MAX_ENTRIES);
  }

  /** Takes up the runs that had begun before anyone looked. */
  join(runs: ReturnType<Inbox["runs"]>, now: number): void {
    for (const run of runs) this.begin(identityOf(run, run.startedAt), now)?.joined(run.text.length, run.text, now);
  }

  event(activity: EventActivity, now: number): void {
    const { effect, chars, runNumber, event } = activity;
    const slot = this.slots[runNumber & (SLOTS - 1)];
    const run = runNumber > 0 && slot?.number === runNumber ? slot : this.find(activity, now);
    if (run === undefined) return;
    run.event(event, effect, chars, now);
    if (effect === "taken" && event.state === "final") this.ending.set(run, now);
    if (run.settlement !== undefined) this.settledVersion += 1;
  }

  outcome(outcome: RunOutcome, now: number): void {
    const ended = outcome.status === "dispatched" ? outcome.message : outcome;
    const run = this.known.get(ended.gateway, ended.runId) ?? this.create(identityOf(ended, now), now);
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

  attempt({ message, attempt }: Extract<Activity, { kind: "attempt" }>, now: number): void {
    this.ofMessage(message, now).attempt(attempt, now);
  }

  retry({ message, attempt, error, delayMs }: Extract<Activity, { kind: "retry" }>, now: number): void {
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
  private find({ effect, runNumber, gateway, owner, event }: EventActivity, now: number): FollowedRun | undefined {
    const { runId, sessionKey } = event;
    const known = this.known.get(gateway, runId);
    if (effect !== "taken") return known;
    const isLive = known !== undefined && known.settlement === undefined;
    const run = isLive ? known : this.begin(identityOf({ gateway, runId, owner, sessionKey }, now), now);
    if (run === undefined) return undefined;
    run.number = runNumber;
    this.slots[runNumber & (SLOTS - 1)] = run;
    return run;
  }

  /** A run that is live now; one that had settled (a late final opens it again) goes on as it was. */
  private begin(identity: RunIdentity, now: number): FollowedRun | undefined {
    const before = this.known.get(identity.gateway, identity.runId);
    if (before === undefined && this.live.size >= MAX_LIVE) return undefined;
    const run = before ?? this.create(identity, now);
    this.settled.delete(run);
    run.settlement = undefined;
    this.live.add(run);
    return run;
  }

  private create(identity: RunIdentity, now: number): FollowedRun {
    this.lastId += 1;
    const run = new FollowedRun(this.lastId, identity, this.journal, this.showText, now);
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
    this.known.delete(oldest.identity.gateway, oldest.identity.runId);
    this.byId.delete(oldest.id);
    const slot = oldest.number & (SLOTS - 1);
    if (this.slots[slot] === oldest) this.slots[slot] = undefined;
  }

  /** The run of a message; one that was dispatched before anyone looked is taken up as it is. */
  private ofMessage(message: ProactiveMessage, now: number): FollowedRun {
    const known = this.known.get(message.gateway, message.runId);
    this.settledVersion += 1;
    if (known !== undefined) return known;
    const run = this.create(identityOf(message, message.startedAt), now);
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
