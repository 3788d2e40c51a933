import { RunMap } from "../kit/run-map.ts";
import type { Activity, DeliveryOutcome, ProactiveMessage, RunOutcome, RunProgress } from "../types.ts";
import { FollowedRun, identityOf, type Mark, type RunIdentity } from "./followed-run.ts";
import { Journal } from "./journal.ts";
import type { LiveRow, Rows, RunDetails, RunRow, SettledRow } from "./wire.ts";

/** How many settled runs are remembered. One more evicts the oldest. */
const MAX_SETTLED = 1_000;
/** How many rows a list shows. */
const MAX_ROWS = 100;
/** How many live runs a search looks at: the newest ones. */
const MAX_SEARCHED = 1_000;
/** How many ended runs {@link FollowedRuns.begun} may hold before they are removed. */
const MIN_ENDED = 1_000;
/** How many timeline entries are kept of all runs together. With texts, fewer are kept. */
const MAX_ENTRIES = 100_000;
const MAX_ENTRIES_WITH_TEXT = 20_000;
/** A final without an outcome after this many ms will have none, because the ledger knew its message already. */
const OUTCOME_MS = 1_000;

/** What a search looks for. Empty words match everything. */
export interface RunFilter {
  /** In lower case: a part of a session key, a run's id, a message's id or a Gateway's name. */
  readonly words: string;
  /** How the run ended, or the state of its delivery. */
  readonly outcome: string;
  readonly origin: string;
}

type Of<Kind> = Extract<Activity, { kind: Kind }>;

/**
 * The runs that the inspector knows. It always hears how runs end and how their deliveries go, and hears everything
 * else while it is watched. A run has the inbox's number, or a number of its own when its beginning was not seen. A
 * live run gets an object here only when it is shown, or when something other than a delta comes. Ten thousand more
 * objects would slow down every garbage collection.
 */
export class FollowedRuns {
  /** Increases with each change of the settled runs. */
  settledVersion = 1;
  /** Records the deltas of all runs. */
  readonly journal: Journal;
  private readonly showText: boolean;
  /** At most as many as the inbox has. */
  private readonly live = new RunMap<FollowedRun | RunProgress>();
  /** The live runs, and some that have ended, in the order in which they began. */
  private begun: RunProgress[] = [];
  /** Live runs whose final has come, and when it came. */
  private readonly ending = new Map<FollowedRun, number>();
  /** Oldest first. */
  private settled: FollowedRun[] = [];
  /** The latest settled run of each Gateway and run id. */
  private readonly ended = new RunMap<FollowedRun>();
  private readonly byNumber = new Map<number, FollowedRun>();
  /** The last number that was given to a run whose beginning was not seen. These numbers count down from -1. */
  private lastUnseen = 0;
  /** The number of the run that began last. */
  private newest = 0;
  private joinedAt = 0;
  /** For runs that had begun before the watching: the deltas they had then, by run number. */
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
    const run =
      known === undefined ? this.create(identityOf(ended, ended.startedAt), undefined) : this.follow(known, ended);
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

  /** The inbox was stopped. Runs in `buffering` get no outcome. */
  endAll(now: number): void {
    for (const run of this.newestLive(MAX_SETTLED).reverse()) {
      run.gone("the inbox was stopped", now);
      this.retire(run);
    }
    this.live.clear();
  }

  /** Nobody watches any longer. From now on only the ends of runs are told. */
  unwatched(): void {
    for (const run of this.live.values()) if (run instanceof FollowedRun) this.byNumber.delete(run.number);
    this.live.clear();
    this.begun = [];
    this.ending.clear();
    this.joinedDeltas.clear();
  }

  attempt({ message, attempt }: Of<"attempt">, now: number): void {
    this.ofMessage(message).attempt(attempt, now);
  }

  /** How far a delivery was when the watching began. */
  delivering({ message, attempt, error = "", nextAt }: Of<"delivering">, now: number): void {
    const isKnown = this.ended.get(message.gateway, message.runId) !== undefined;
    // It ended before all that are listed. They stay.
    if (!isKnown && this.settled.length >= MAX_SETTLED) return;
    const run = this.ofMessage(message);
    if (!isKnown) this.settled.unshift(...this.settled.splice(-1));
    if (nextAt === undefined) run.attempting(attempt);
    else if (!run.isWaiting(attempt)) run.retry({ message, attempt, error, delayMs: nextAt - now }, now);
  }

  retry(retry: Of<"retry">, now: number): void {
    this.ofMessage(retry.message).retry(retry, now);
  }

  delivery(outcome: DeliveryOutcome, now: number): void {
    const run = this.ofMessage(outcome.message);
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

  /** Those of the newest live runs that match. A filter for an outcome or an origin matches none. */
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

  /** A run has begun. If a final comes after the run had settled, the same run goes on. */
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

  /** The settled run that this outcome belongs to: the outcome is late, or the run had seemed to end without one. */
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

  /** Makes a {@link FollowedRun} of a live run. `names` identifies it when it is not live any longer. */
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

  /** The run of a message. If it was dispatched before the watching, it is added now. */
  private ofMessage(message: ProactiveMessage): FollowedRun {
    const { gateway, runId, startedAt, completedAt } = message;
    this.settledVersion += 1;
    const known = this.ended.get(gateway, runId);
    if (known !== undefined) return known;
    const run = this.create(identityOf(message, startedAt), undefined);
    run.settle({ status: "dispatched", message }, completedAt);
    this.retire(run);
    return run;
  }

  /** The newest live runs, newest first. To find them in the map would mean a walk through all of them. */
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
