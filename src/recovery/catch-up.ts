import { isInboxError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { CaughtUp } from "../report/log.ts";
import type { Report } from "../report/report.ts";
import type { Progress } from "./bookmark.ts";
import { type EndedRun, endedRuns } from "./history/ended-runs.ts";
import { readHistory, type SessionHistory } from "./history/history.ts";
import type { Teller } from "./report-ends.ts";
import type { Requests } from "./requests.ts";
import { isHiddenUnlessSubscribed, liveKeyOf, type OurSessions } from "./sessions/our-sessions.ts";
import { type ListedSession, listSessions } from "./sessions/session-list.ts";
import type { Subscriptions } from "./sessions/subscriptions.ts";

/** What {@link catchUp} needs. */
export interface CatchUpOptions {
  readonly gateway: string;
  readonly requests: Requests;
  readonly subscriptions: Subscriptions;
  readonly progress: Progress;
  readonly ours: OurSessions;
  readonly teller: Teller;
  readonly ledger: Ledger;
  readonly report: Report;
  readonly maxSessions: number;
  readonly maxRows: number;
  /** A run may have begun so long before its session was last touched. */
  readonly ttlMs: number;
  /** The runs in `buffering` here, by the session that holds their history. */
  readonly liveRuns: () => ReadonlyMap<string, ReadonlySet<string>>;
  /** Keeps an ended run back: the session is busy with something that the Gateway does not name. */
  readonly hold: (run: EndedRun, sessionKey: string) => void;
}

const PROGRESS_EVERY_SESSIONS = 500;

/**
 * Subscribes to every session of ours and reads what was missed in those where something may have
 * happened, the latest first. Subscribing comes first, so that nothing falls in between.
 */
export async function catchUp(options: CatchUpOptions): Promise<CaughtUp> {
  const { requests, progress, ours, report, maxSessions } = options;
  await progress.load();
  const visit = new Visit(options);
  const work: Promise<void>[] = [];
  const visited = new Set<string>();
  const begin = (session: ListedSession): void => {
    if (visited.has(session.key) || !ours.has(liveKeyOf(session.key, session.sessionId), session.spawnedBy)) return;
    if (visited.size >= maxSessions) {
      report.sessionOverLimit();
      return;
    }
    visited.add(session.key);
    work.push(visit.session(session));
  };
  let at: number | undefined;
  let failed = false;
  try {
    // Refused by a Gateway that does not know it, this is counted and logged; the rest works without.
    await requests.ask("sessions.subscribe", {}, { urgent: true }).catch(unlessCancelled);
    for await (const page of listSessions(requests)) {
      if (at === undefined) progress.setClock(page.at);
      at ??= visit.begin();
      for (const session of page.sessions) begin(session);
      if (visited.size >= maxSessions) break;
    }
  } catch {
    failed = true;
  }
  // Not listed, or listed too far back; what is going on here must be looked up all the same.
  for (const key of [...visit.liveRuns.keys(), ...progress.owedSessions()]) begin({ key, active: true });
  await Promise.all(work);
  if (!failed && at !== undefined && !visit.hasFailed) progress.catchUp(at);
  return { sessions: visited.size, read: visit.read, failed: failed || visit.hasFailed };
}

function unlessCancelled(error: unknown): void {
  if (isInboxError(error, "ERR_INBOX_NO_LINK")) throw error;
}

/** One connection's round through the sessions. */
class Visit {
  since = Number.POSITIVE_INFINITY;
  read = 0;
  /** A session could not be read and there was no room to remember it. */
  hasFailed = false;
  readonly liveRuns: ReadonlyMap<string, ReadonlySet<string>>;
  private readonly options: CatchUpOptions;
  private readonly heardUntil: number;

  constructor(options: CatchUpOptions) {
    this.options = options;
    this.liveRuns = options.liveRuns();
    this.heardUntil = options.progress.heardUntil;
  }

  /** The Gateway's clock is set. Returns what it reads. */
  begin(): number {
    const { progress } = this.options;
    const now = progress.now();
    // On the first visit only what is still going on is of interest.
    if (!progress.isFirst) this.since = progress.since;
    progress.begin(now);
    return now;
  }

  async session(session: ListedSession): Promise<void> {
    const { subscriptions, report, progress, gateway } = this.options;
    const { key } = session;
    const since = Math.min(this.since, progress.owedSince(key) ?? this.since);
    const isRead = this.mayHoldNews(session, since);
    if (isRead) report.toRead(1);
    try {
      if (isHiddenUnlessSubscribed(key)) await subscriptions.add(key);
      if (isRead) await this.readSession(key, since);
    } catch (error) {
      if (isInboxError(error, "ERR_INBOX_NO_LINK") || !progress.owe(key, since)) this.hasFailed = true;
    } finally {
      if (isRead) {
        report.toRead(-1);
        this.read += 1;
        if (this.read % PROGRESS_EVERY_SESSIONS === 0) report.catchingUp(gateway, this.read);
      }
    }
  }

  private mayHoldNews({ key, updatedAt, active }: ListedSession, since: number): boolean {
    if (active || this.liveRuns.has(key)) return true;
    // The time of an isolated cron job's session is that of its run's beginning.
    return since !== Number.POSITIVE_INFINITY && (updatedAt ?? since) >= since - this.options.ttlMs;
  }

  private async readSession(key: string, since: number): Promise<void> {
    const { requests, progress, teller, ledger, gateway, maxRows } = this.options;
    const cursorName = historyCursorName(gateway, key);
    // With runs that are buffering here, their beginnings are needed, too.
    const cursor = this.liveRuns.has(key) ? undefined : (await ledger.cursor(cursorName)) || undefined;
    const runIds = this.liveRuns.get(key);
    const history = await readHistory(requests, { sessionKey: key, since, runIds, cursor, maxRows });
    const sessionKey = liveKeyOf(key, history.sessionId);
    this.tellEnds(key, sessionKey, history, since);
    if (history.inFlight !== undefined) teller.tellSoFar(history.inFlight, sessionKey);
    // While a run goes on, a cursor would cut it in two.
    if (history.cursor !== undefined && history.active.size === 0 && !history.busy) {
      ledger.setCursor(cursorName, history.cursor);
    }
    progress.settle(key);
  }

  private tellEnds(key: string, sessionKey: string, history: SessionHistory, since: number): void {
    const { teller, hold } = this.options;
    const live = this.liveRuns.get(key);
    for (const run of endedRuns(history.rows)) {
      const at = run.at ?? Number.POSITIVE_INFINITY;
      // What failed has no id in the ledger that would tell a repeat, so there is no overlap for it.
      const isNews = run.state === "final" ? at > since : at > since && at > this.heardUntil;
      if (history.active.has(run.runId) || (!isNews && live?.has(run.runId) !== true)) continue;
      if (history.busy) hold(run, sessionKey);
      else teller.tell(run, sessionKey, true);
    }
  }
}

/** The name of a session's place in the ledger. */
export function historyCursorName(gateway: string, sessionKey: string): string {
  return `history ${gateway} ${sessionKey}`;
}
