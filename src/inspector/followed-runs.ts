import type { Inbox } from "../inbox-api.ts";
import { RunTable } from "../run-table.ts";
import type { Activity, DeliveryOutcome, ProactiveMessage, RunOutcome } from "../types.ts";
import { FollowedRun, identityOf, type RunIdentity } from "./followed-run.ts";
import type { LiveRow, Rows, RunDetails, SettledRow } from "./update.ts";

/** Live runs that are followed at most; further ones are only counted. */
const MAX_LIVE = 20_000;
/** Settled runs that are remembered; one more forgets the oldest. */
const MAX_SETTLED = 1_000;
/** Rows of a list that are shown. */
const MAX_ROWS = 100;
/** Timeline entries in all, and how many of them one run may have at least and at most. */
const MAX_ENTRIES = 200_000;
const FEWEST_ENTRIES = 10;
const MOST_ENTRIES = 200;

/** The runs that the inspector knows, by what it is told of them. Every list of it is bounded. */
export class FollowedRuns {
  /** Goes up with each change of the settled runs. */
  settledVersion = 1;
  private readonly showText: boolean;
  private readonly known = new RunTable<FollowedRun>();
  private readonly byId = new Map<number, FollowedRun>();
  private readonly live = new RunTable<FollowedRun>();
  private readonly settled: FollowedRun[] = [];
  private lastId = 0;

  constructor(showText: boolean) {
    this.showText = showText;
  }

  /** How many entries a timeline may have now. */
  private get limit(): number {
    const fair = Math.floor(MAX_ENTRIES / Math.max(1, this.known.size));
    return Math.min(MOST_ENTRIES, Math.max(FEWEST_ENTRIES, fair));
  }

  /** Takes up the runs that are live already, and notices those that have gone without a word. */
  reconcile(runs: ReturnType<Inbox["runs"]>, now: number): void {
    const there = new Set<FollowedRun | undefined>();
    for (const { text, ...identity } of runs) {
      const { gateway, runId } = identity;
      if (this.live.get(gateway, runId) === undefined) this.begin(identity)?.joined(text.length, text, now);
      there.add(this.live.get(gateway, runId));
    }
    for (const run of [...this.live.values()]) {
      if (there.has(run)) continue;
      run.gone("its message was known already, or the inbox was stopped", now, this.limit);
      this.retire(run);
    }
  }

  get liveCount(): number {
    return this.live.size;
  }

  event({ effect, chars, gateway, owner, event }: Extract<Activity, { kind: "event" }>, now: number): void {
    const { runId, sessionKey } = event;
    let run = this.known.get(gateway, runId);
    if (effect === "taken" && (run === undefined || run.settlement !== undefined)) {
      const identity = {
        gateway,
        runId,
        startedAt: now,
        ...(owner !== undefined && { owner }),
        ...(sessionKey !== undefined && { sessionKey }),
      };
      run = this.begin(identity);
    }
    run?.event(event, effect, chars, now, this.limit);
    if (run?.settlement !== undefined) this.settledVersion += 1;
  }

  outcome(outcome: RunOutcome, now: number): void {
    const ended = outcome.status === "dispatched" ? outcome.message : outcome;
    const run = this.known.get(ended.gateway, ended.runId) ?? this.create(identityOf(ended, now));
    run.settle(outcome, now, this.limit);
    this.retire(run);
  }

  attempt({ message, attempt }: Extract<Activity, { kind: "attempt" }>, now: number): void {
    this.ofMessage(message, now).attempt(attempt, now, this.limit);
  }

  retry({ message, attempt, error, delayMs }: Extract<Activity, { kind: "retry" }>, now: number): void {
    this.ofMessage(message, now).retry(attempt, error, delayMs, now, this.limit);
  }

  delivery(outcome: DeliveryOutcome, now: number): void {
    const run = this.ofMessage(outcome.message, now);
    if (outcome.status === "delivered") run.delivered(outcome.attempts, now, this.limit);
    else run.died(outcome.attempts, outcome.error, now, this.limit);
  }

  liveRows(total: number, now: number): Rows<LiveRow> {
    return { total, rows: lastOf(this.live.values(), this.live.size).map((run) => run.liveRow(now)) };
  }

  settledRows(): Rows<SettledRow> {
    const rows = lastOf(this.settled.values(), this.settled.length).flatMap((run) =>
      run.settlement === undefined ? [] : [run.settledRow(run.settlement)],
    );
    return { total: this.settled.length, rows };
  }

  details(id: number, now: number): RunDetails | undefined {
    return this.byId.get(id)?.details(now);
  }

  clear(): void {
    this.known.clear();
    this.byId.clear();
    this.live.clear();
    this.settled.length = 0;
    this.settledVersion += 1;
  }

  /** A run that is live now; one that had settled (a late final opens it again) goes on as it was. */
  private begin(identity: RunIdentity): FollowedRun | undefined {
    const { gateway, runId } = identity;
    const before = this.known.get(gateway, runId);
    if (before === undefined && this.live.size >= MAX_LIVE) return undefined;
    const run = before ?? this.create(identity);
    const place = before === undefined ? -1 : this.settled.indexOf(before);
    if (place >= 0) this.settled.splice(place, 1);
    run.settlement = undefined;
    this.live.set(gateway, runId, run);
    return run;
  }

  private create(identity: RunIdentity): FollowedRun {
    this.lastId += 1;
    const run = new FollowedRun(this.lastId, identity, this.showText);
    this.known.set(identity.gateway, identity.runId, run);
    this.byId.set(run.id, run);
    return run;
  }

  private retire(run: FollowedRun): void {
    const { gateway, runId } = run.identity;
    this.settledVersion += 1;
    // It may have settled before: a late final that the ledger took its time over.
    if (!this.live.delete(gateway, runId) && this.settled.includes(run)) return;
    this.settled.push(run);
    if (this.settled.length <= MAX_SETTLED) return;
    const oldest = this.settled.shift();
    if (oldest === undefined) return;
    this.known.delete(oldest.identity.gateway, oldest.identity.runId);
    this.byId.delete(oldest.id);
  }

  /** The run of a message; one that was dispatched before anyone looked is taken up as it is. */
  private ofMessage(message: ProactiveMessage, now: number): FollowedRun {
    const known = this.known.get(message.gateway, message.runId);
    this.settledVersion += 1;
    if (known !== undefined) return known;
    const run = this.create(identityOf(message, message.startedAt));
    run.settle({ status: "dispatched", message }, now, this.limit);
    this.retire(run);
    return run;
  }
}

/** The last rows of many, newest first. */
function lastOf(runs: Iterable<FollowedRun>, size: number): FollowedRun[] {
  const skipped = Math.max(0, size - MAX_ROWS);
  const last: FollowedRun[] = [];
  let index = 0;
  for (const run of runs) {
    if (index >= skipped) last.push(run);
    index += 1;
  }
  return last.reverse();
}
