import { RunMap } from "../kit/run-map.ts";
import type { Activity, DeliveryOutcome, ProactiveMessage, RunOutcome, RunProgress } from "../types.ts";
import { FollowedRun, identityOf, type Mark, type RunIdentity } from "./followed-run.ts";
import { Journal } from "./journal.ts";
import type { LiveRow, Rows, RunDetails, RunRow, SettledRow } from "./wire.ts";

/** Settled runs that are remembered; one more forgets the oldest. */
const MAX_SETTLED = 1_000;
/** Rows of a list that are shown. */
const MAX_ROWS = 100;
/** Live runs that are searched at most, the newest. */
const MAX_SEARCHED = 1_000;
/** Runs that have ended and are still among {@link FollowedRuns.begun}, at least, before they are let go of. */
const MIN_ENDED = 1_000;
/** Timeline entries that are kept of all runs together; fewer where each has a piece of text. */
const MAX_ENTRIES = 100_000;
const MAX_ENTRIES_WITH_TEXT = 20_000;
/** A final whose outcome is so many ms late will have none: the ledger knew its message already. */
const OUTCOME_MS = 1_000;

/** What somebody looks for; empty words stand for anything. */
export interface RunFilter {
  /** In lower case: part of a session key, a run's id, a message's id or a Gateway's name. */
  readonly words: string;
  /** How the run ended, or how its message fares. */
  readonly outcome: string;
  readonly origin: string;
}

type Of<Kind> = Extract<Activity, { kind: Kind }>;

/**
 * The runs that the inspector knows, by what it is told of them: of how they ended and how their messages fare always, of
 * everything else while it is watched. Each has one number, the inbox's own where it saw it begin. Of a live one nothing of its own is kept until it is
 * shown or something but a delta comes of it: ten thousand objects more would cost each collection of garbage.
 */
export class FollowedRuns {
  /** Goes up with each change of the settled runs. */
  settledVersion = 1;
  /** Is told of the deltas of all runs. */
  readonly journal: Journal;
  private readonly showText: boolean;
  /** Not more than the inbox's own. */
  private readonly live = new RunMap<FollowedRun | RunProgress>();
  /** Those that are live, and some that have ended, in the order in which they began. */
  private begun: RunProgress[] = [];
  /** Live runs whose final has come, and when. */
  private readonly ending = new Map<FollowedRun, number>();
  /** The oldest first. */
  private settled: FollowedRun[] = [];
  /** Of each name the latest of the settled. */
  private readonly ended = new RunMap<FollowedRun>();
  private readonly byNumber = new Map<number, FollowedRun>();
  /** The number given last to a run that nobody saw begin; they count down from -1. */
  private lastUnseen = 0;
  /** The number of the run that began last. */
  private newest = 0;
  private joinedAt = 0;
  /** The deltas of runs that had begun before anyone looked, by their number, as they were then. */
  private readonly joinedDeltas = new Map<number, number>();

  constructor(showText: boolean) {
    this.showText = showText;
    this.journal = new Journal(showText ? MAX_ENTRIES_WITH_TEXT : MAX_ENTRIES, showText);
  }

  joined({ run, progress }: Of<"joined">, now: number): void {
    this.joinedAt = now;
    this.joinedDeltas.set(progress.number, progress.deltas);
    this.newest = Math.max(this.newest, progress.number);
    this.live.set(run.gateway, run.runId, progress);
    this.begun.push(progress);
    this.journal.addJoined(progress, now);
  }

  event(activity: Of<"event">): void {
    const { effect, progress, event, at } = activity;
    if (progress !== undefined && progress.number > this.newest) this.begin(activity, progress);
    if (progress !== undefined && event.state === "delta") return this.journal.delta(progress, event, at);
    const run = this.find(activity);
    if (run === undefined) return;
    run.event(event, effect, at);
    if (progress !== undefined && event.state === "final") this.ending.set(run, at);
    if (run.settlement !== undefined) this.settledVersion += 1;
  }

  outcome(outcome: RunOutcome, now: number): void {
    const ended = outcome.status === "dispatched" ? outcome.message : outcome;
    const { gateway, runId } = ended;
    const known = this.live.get(gateway, runId) ?? this.unfinished(outcome);
    const startedAt = outcome.status === "dispatched" ? outcome.message.startedAt : now;
    const run = known === undefined ? this.create(identityOf(ended, startedAt), undefined) : this.follow(known, ended);
    const wasSettled = run.settlement !== undefined;
    run.settle(outcome, now);
    if (wasSettled) this.settledVersion += 1;
    else this.retire(run);
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
    for (const run of this.newestLive(MAX_SETTLED).reverse()) {
      run.gone("the inbox was stopped", now);
      this.retire(run);
    }
    this.live.clear();
  }

  /** Nobody watches any more: only how runs end is told from now on. */
  unwatched(): void {
    for (const run of this.live.values()) if (run instanceof FollowedRun) this.byNumber.delete(run.number);
    this.live.clear();
    this.begun = [];
    this.ending.clear();
    this.joinedDeltas.clear();
  }

  attempt({ message, attempt }: Of<"attempt">, now: number): void {
    this.ofMessage(message, now).attempt(attempt, now);
  }

  retry(retry: Of<"retry">, now: number): void {
    this.ofMessage(retry.message, now).retry(retry, now);
  }

  delivery(outcome: DeliveryOutcome, now: number): void {
    const run = this.ofMessage(outcome.message, now);
    if (outcome.status === "delivered") run.delivered(outcome.attempts, now);
    else run.died(outcome.message, outcome.attempts, outcome.error, now);
  }

  liveRows(total: number, now: number): Rows<LiveRow> {
    return { total, rows: this.newestLive(MAX_ROWS).map((run) => run.liveRow(now)) };
  }

  settledRows(): Rows<SettledRow> {
    const newest = this.settled.slice(-MAX_ROWS).reverse();
    const rows = newest.flatMap((run) => (run.settlement === undefined ? [] : [run.settledRow(run.settlement)]));
    return { total: this.settled.length, rows };
  }

  /** Of the latest live runs those that fit; a filter for an outcome or an origin fits none of them. */
  foundLive({ words, outcome, origin }: RunFilter, now: number): Rows<LiveRow> {
    const found: LiveRow[] = [];
    const looksHere = outcome === "" && origin === "";
    for (const run of looksHere ? this.newestLive(MAX_SEARCHED) : []) {
      const row = run.liveRow(now);
      if (hasWords(row, words)) found.push(row);
    }
    return { total: found.length, rows: found.slice(0, MAX_ROWS) };
  }

  foundSettled({ words, outcome, origin }: RunFilter): Rows<SettledRow> {
    const found: SettledRow[] = [];
    for (const run of this.settled) {
      const row = run.settlement && run.settledRow(run.settlement);
      if (row === undefined || !hasWords(row, words)) continue;
      if (outcome !== "" && row.status !== outcome && row.delivery !== outcome) continue;
      if (origin === "" || row.origin === origin) found.push(row);
    }
    return { total: found.length, rows: found.slice(-MAX_ROWS).reverse() };
  }

  details(number: number, now: number): RunDetails | undefined {
    return this.byNumber.get(number)?.details(now);
  }

  /** A run has begun. By a final that came after all, one that had settled goes on as it was. */
  private begin({ gateway, event }: Of<"event">, progress: RunProgress): void {
    const { runId, state } = event;
    this.newest = progress.number;
    const before = state === "final" ? this.ended.get(gateway, runId) : undefined;
    this.live.set(gateway, runId, before ?? progress);
    this.begun.push(progress);
    if (this.begun.length > 2 * this.live.size + MIN_ENDED)
      this.begun = this.begun.filter((begun) => begun.live() !== undefined);
    if (before === undefined) return;
    this.ended.delete(gateway, runId);
    this.settled = this.settled.filter((run) => run !== before);
    before.settlement = undefined;
  }

  /** The run that had settled and goes on with this outcome: a late one, or one that came after all. */
  private unfinished(outcome: RunOutcome): FollowedRun | undefined {
    const { gateway, runId } = outcome.status === "dispatched" ? outcome.message : outcome;
    const before = this.ended.get(gateway, runId);
    const isLate = outcome.status === "dispatched" && outcome.message.late;
    return isLate || before?.isGone ? before : undefined;
  }

  private find({ gateway, owner, event }: Of<"event">): FollowedRun | undefined {
    const { runId, sessionKey } = event;
    const live = this.live.get(gateway, runId);
    if (live === undefined) return this.ended.get(gateway, runId);
    return this.follow(live, { gateway, runId, owner, sessionKey });
  }

  /** Keeps of a live run more than its progress. `names`: who it is, once it is no longer live. */
  private follow(known: FollowedRun | RunProgress, names: Omit<RunIdentity, "startedAt">): FollowedRun {
    if (known instanceof FollowedRun) return known;
    const run = this.create(identityOf(known.live() ?? names, known.startedAt), known);
    this.live.set(run.identity.gateway, run.identity.runId, run);
    return run;
  }

  private create(identity: RunIdentity, progress: RunProgress | undefined): FollowedRun {
    if (progress === undefined) this.lastUnseen -= 1;
    const { journal, showText } = this;
    const number = progress?.number ?? this.lastUnseen;
    const run = new FollowedRun({ number, identity, progress, joined: this.takeJoined(progress), journal, showText });
    this.byNumber.set(number, run);
    return run;
  }

  private takeJoined(progress: RunProgress | undefined): Mark | undefined {
    const deltas = progress && this.joinedDeltas.get(progress.number);
    if (progress === undefined || deltas === undefined) return undefined;
    this.joinedDeltas.delete(progress.number);
    return { deltas, at: this.joinedAt };
  }

  private retire(run: FollowedRun): void {
    const { gateway, runId } = run.identity;
    this.settledVersion += 1;
    if (this.live.get(gateway, runId) === run) this.live.delete(gateway, runId);
    this.ending.delete(run);
    this.settled.push(run);
    this.ended.set(gateway, runId, run);
    if (this.settled.length > MAX_SETTLED) this.forgetOldest();
  }

  private forgetOldest(): void {
    const oldest = this.settled.shift();
    if (oldest === undefined) return;
    const { gateway, runId } = oldest.identity;
    if (this.ended.get(gateway, runId) === oldest) this.ended.delete(gateway, runId);
    this.byNumber.delete(oldest.number);
  }

  /** The run of a message; one that was dispatched before anyone looked is taken up as it is. */
  private ofMessage(message: ProactiveMessage, now: number): FollowedRun {
    const { gateway, runId, startedAt } = message;
    this.settledVersion += 1;
    const known = this.ended.get(gateway, runId);
    if (known !== undefined) return known;
    const run = this.create(identityOf(message, startedAt), undefined);
    run.settle({ status: "dispatched", message }, now);
    this.retire(run);
    return run;
  }

  /** The newest live runs, the newest first. Not by way of the table: that would be a walk through all of them. */
  private newestLive(count: number): FollowedRun[] {
    const found = [...this.ending.keys()].slice(-count).reverse();
    for (let i = this.begun.length - 1; i >= 0 && found.length < 2 * count; i -= 1) {
      const progress = this.begun[i];
      const names = progress?.live();
      const known = names && this.live.get(names.gateway, names.runId);
      if (names !== undefined && known !== undefined) found.push(this.follow(known, names));
    }
    return found.sort((a, b) => b.identity.startedAt - a.identity.startedAt).slice(0, count);
  }
}

function hasWords(
  { sessionKey, runId, gateway, messageId }: RunRow & { messageId?: string | undefined },
  words: string,
): boolean {
  if (words === "") return true;
  return [sessionKey, runId, gateway, messageId].some((name) => name?.toLowerCase().includes(words));
}
