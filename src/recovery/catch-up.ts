import { isInboxError } from "../errors.ts";
import { inSlices, loopTurns } from "../kit/background.ts";
import type { Clock } from "../kit/clock.ts";
import { pause } from "../kit/timer.ts";
import type { CaughtUp } from "../report/log.ts";
import type { Report } from "../report/report.ts";
import type { AnnouncedFiles } from "./announced-files.ts";
import { type Bookmark, type Place, placeOfRow } from "./bookmark.ts";
import type { BoundJobs } from "./bound-jobs.ts";
import type { Generation } from "./generation.ts";
import { endedRuns, saysNothing } from "./history/ended-runs.ts";
import type { Histories, SessionHistory } from "./history/history.ts";
import type { NamelessRuns } from "./history/nameless-runs.ts";
import type { PendingEnds } from "./pending-ends.ts";
import type { ReportEnds } from "./report-ends.ts";
import type { Requests } from "./requests.ts";
import { type Address, addressName, liveKeyOf } from "./sessions/address.ts";
import { listJobRuns } from "./sessions/job-runs.ts";
import type { OurSessions } from "./sessions/our-sessions.ts";
import { type ListedSession, listSessions, readSession } from "./sessions/session-list.ts";
import type { Subscriptions } from "./sessions/subscriptions.ts";

/** What {@link catchUp} needs. */
export interface CatchUpOptions {
  readonly gateway: string;
  readonly clock: Clock;
  readonly requests: Requests;
  readonly histories: Histories;
  readonly subscriptions: Subscriptions;
  readonly bookmark: Bookmark;
  readonly ours: OurSessions;
  readonly ends: ReportEnds;
  readonly pending: PendingEnds;
  readonly bound: BoundJobs;
  readonly files: AnnouncedFiles;
  /** Requests the cron jobs. Does not reject. `at` is the time by the Gateway's clock. */
  readonly loadJobs: (at: number | undefined) => Promise<void>;
  readonly nameless: NamelessRuns;
  readonly generation: Generation;
  readonly report: Report;
  readonly maxSessions: number;
  readonly maxPending: number;
  /** How long a run may take, in ms. */
  readonly ttlMs: number;
  /** The runs that are in `buffering` here, by the name of the address with their history. */
  readonly liveRuns: ReadonlyMap<string, { readonly key: string; readonly runIds: ReadonlySet<string> }>;
  /** Aborted when the connection is lost. */
  readonly signal: AbortSignal;
}

/** How many sessions are subscribed to at once, and how many are read at once. */
const SUBSCRIBING = 8;
const READING = 4;
const PROGRESS_EVERY_SESSIONS = 500;
/** How long to wait for the handler when too many messages wait for it, in ms. */
const BACKLOG_PAUSE_MS = 1_000;

/**
 * Subscribes to every session of ours. Then it reads those in which something may have been missed, latest first. It
 * subscribes first, so that nothing is missed in between. Ends early when the connection is lost.
 */
export async function catchUp(options: CatchUpOptions): Promise<CaughtUp> {
  const { requests, bookmark, bound, loadJobs, generation, signal, report, ttlMs } = options;
  const round = new Round(options);
  let at: number | undefined;
  let failed = false;
  bookmark.beginRound();
  try {
    failed = !(await subscribeToList(requests));
    let isFirst = true;
    for await (const page of listSessions(requests)) {
      at ??= page.at;
      for (let count = page.refused; count > 0; count -= 1)
        report.rejected({ gateway: options.gateway, reason: "bad-id" });
      if (isFirst) {
        bookmark.lookAtClock(at);
        // Which jobs are due depends on the Gateway's clock.
        await loadJobs(at);
        isFirst = false;
      }
      if (!(await inSlices(page.sessions, (session) => round.list(session), { signal }))) break;
      if (round.isFull) break;
    }
    // Before the first complete round, everything in the past counts as before our start.
    if (generation.keepsRunsApart && bookmark.heardAt !== undefined) {
      // A job is finished before its run begins, and the run may take as long as any other.
      for (const session of await listJobRuns(requests, bookmark.heardAt - ttlMs)) round.list(session);
    }
  } catch {
    failed = true;
  }
  // These sessions were not listed, or not on the first pages. Their live runs must be looked up, too.
  for (const { key } of options.liveRuns.values()) {
    const session = readSession({ hasActiveRun: true }, key);
    if (session !== undefined) round.list(session);
  }
  await atOnce(SUBSCRIBING, round.toSubscribe, (session) => round.subscribe(session), signal);
  await atOnce(READING, round.toRead, (session) => round.read(session), signal);
  await bound.idle();
  failed ||= signal.aborted || round.hasFailed;
  if (!failed) bookmark.endRound(at);
  report.toRead(-round.unread);
  return { sessions: round.sessions, read: round.readCount, failed };
}

/**
 * Resolves with false when the Gateway may accept the subscription later. It may also not know the method, or not allow
 * it. That is counted and logged, and everything else still works.
 */
async function subscribeToList(requests: Requests): Promise<boolean> {
  try {
    await requests.ask("sessions.subscribe", {}, { urgent: true });
    return true;
  } catch (error) {
    if (isInboxError(error, "ERR_INBOX_NO_LINK")) throw error;
    return !isInboxError(error, "ERR_INBOX_REQUEST") || error.details["gatewayCode"] === "INVALID_REQUEST";
  }
}

/** Works on a list, a few items at a time, until `signal` is aborted. */
async function atOnce<T>(
  count: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const shared = items[Symbol.iterator]();
  const rest = { [Symbol.iterator]: () => ({ next: () => shared.next() }) };
  await Promise.all(Array.from({ length: count }, () => inSlices(rest, work, { signal })));
}

/** One round through the sessions, for one connection. */
class Round {
  readonly toSubscribe: ListedSession[] = [];
  readonly toRead: ListedSession[] = [];
  readCount = 0;
  /** A session could not be read. */
  hasFailed = false;
  private readonly options: CatchUpOptions;
  private readonly listed = new Set<string>();
  private isOver = false;

  constructor(options: CatchUpOptions) {
    this.options = options;
  }

  get sessions(): number {
    return this.listed.size;
  }

  /** Whether the limit of subscribed sessions is reached. */
  get isFull(): boolean {
    return this.isOver;
  }

  /** How many sessions still have to be read. */
  get unread(): number {
    return this.toRead.length - this.readCount;
  }

  list(session: ListedSession): void {
    const { ours, report, maxSessions, bookmark, liveRuns, generation, bound } = this.options;
    const { address, sessionId, spawnedBy, active } = session;
    const name = addressName(address);
    const liveKey = liveKeyOf(address, sessionId);
    if (this.listed.has(name) || !(ours.has(liveKey, spawnedBy) || bound.isOurs(liveKey))) return;
    if (this.listed.size >= maxSessions) {
      report.sessionOverLimit();
      this.isOver = true;
      return;
    }
    this.listed.add(name);
    if (generation.isHidden(address)) this.toSubscribe.push(session);
    if (active || liveRuns.has(name) || bookmark.isBehind(session)) {
      this.toRead.push(session);
      report.toRead(1);
    } else bookmark.upToDate(session);
  }

  async subscribe({ address }: ListedSession): Promise<void> {
    await this.options.subscriptions.add(address);
  }

  async read(session: ListedSession): Promise<void> {
    const { histories, bookmark, report, gateway, liveRuns, signal } = this.options;
    const { address } = session;
    const runIds = liveRuns.get(addressName(address))?.runIds;
    const request = { address, place: bookmark.placeOf(session), believesTimes: bookmark.believesTimes, runIds };
    await this.waitForHandler();
    try {
      await histories.use(request, (history) => this.report(session, history));
    } catch {
      this.hasFailed = true;
    }
    if (signal.aborted) return;
    this.readCount += 1;
    report.toRead(-1);
    if (this.readCount % PROGRESS_EVERY_SESSIONS === 0) report.catchingUp(gateway, this.readCount);
  }

  /** Reports what is new in a session, and then moves its bookmark. */
  private async report(session: ListedSession, history: SessionHistory): Promise<void> {
    const { ends, pending, nameless, generation, histories, bookmark, bound, report, liveRuns, gateway, signal } =
      this.options;
    const { address } = session;
    const live = liveRuns.get(addressName(address))?.runIds;
    const sessionKey = liveKeyOf(address, history.sessionId ?? session.sessionId);
    if (history.isCut) report.historyCut(gateway, sessionKey, history.rows.length);
    const fresh = new Set(history.rows.slice(history.firstNew));
    const unfinished = this.unfinished(address, history, live);
    for (const run of endedRuns(history.rows, { nameless: generation.hasNamelessRuns(history.rows) })) {
      const { runId } = run;
      if (history.active.has(runId) || (!fresh.has(run.last) && live?.has(runId) !== true)) continue;
      if (history.busy || saysNothing(run)) {
        unfinished.add(runId);
        pending.add({ runId, address, sessionKey, recovered: true });
        continue;
      }
      if (run.last.kind === "automation") bound.found(run.last);
      const whole = await histories.whole(address, run);
      if (signal.aborted) return;
      const identified = nameless.identify(whole, sessionKey);
      if (identified !== undefined) ends.end(identified, sessionKey, true, address.agentId);
      if (loopTurns.isOver) await loopTurns.next();
    }
    if (signal.aborted) return;
    if (history.inFlight !== undefined) this.join(history.inFlight, history, sessionKey);
    const last = history.rows.at(-1);
    const place = last === undefined ? undefined : placeOfRow(last, history.sessionId ?? session.sessionId);
    bookmark.upToDate(session, place);
    if (unfinished.size === 0) return;
    const begins = this.begins(session, history);
    for (const runId of unfinished) bookmark.hear(address, { opens: runId, before: begins.get(runId) });
  }

  /** A run is in progress that began without us, or went on without us. */
  private join(run: NonNullable<SessionHistory["inFlight"]>, { rows }: SessionHistory, sessionKey: string): void {
    const { ends, files } = this.options;
    const isAsked = rows.some(({ runId, origin }) => runId === run.runId && origin === "requested");
    if (isAsked) files.miss(run.runId);
    ends.progress(run, sessionKey);
  }

  /** The runs with new rows that go on, or seem to. All their rows must be read again at their end. */
  private unfinished(
    address: Address,
    { rows, firstNew, active }: SessionHistory,
    live: ReadonlySet<string> | undefined,
  ): Set<string> {
    const { ends, pending, bookmark, clock, ttlMs } = this.options;
    const now = bookmark.gatewayTime(clock.now());
    const lasts = new Map<string, number>();
    for (const [index, { kind, runId }] of rows.entries())
      if (runId !== undefined && kind !== "prompt") lasts.set(runId, index);
    const found = new Set<string>();
    for (const [runId, index] of lasts) {
      const row = rows[index];
      const isNew = index >= firstNew || live?.has(runId) === true;
      // A run that the Gateway has lost never ends. It must not hold the bookmark back at every start.
      const isLost = now !== undefined && row?.at !== undefined && now - row.at >= ttlMs;
      const goesOn = active.has(runId) || (row?.kind === "step" && !isLost);
      if (!isNew || !goesOn || ends.isKnown(runId, "final")) continue;
      pending.heardPart(runId, address);
      found.add(runId);
    }
    return found;
  }

  /** The place before each run. */
  private begins(session: ListedSession, { rows, sessionId = session.sessionId }: SessionHistory): Map<string, Place> {
    const begins = new Map<string, Place>();
    for (const [index, { kind, runId }] of rows.entries()) {
      if (runId === undefined || kind === "prompt" || begins.has(runId)) continue;
      const before = rows[index - 1];
      begins.set(runId, before === undefined ? {} : placeOfRow(before, sessionId));
    }
    return begins;
  }

  /** Waits when there are as many undelivered messages as allowed, because one more would become a dead letter. */
  private async waitForHandler(): Promise<void> {
    const { report, maxPending, clock, signal } = this.options;
    while (report.stats.pending > maxPending / 2 && !signal.aborted) await pause(clock, BACKLOG_PAUSE_MS, signal);
  }
}
