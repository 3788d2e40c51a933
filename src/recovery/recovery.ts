import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { InboundEvent } from "../pipeline/parse-frames.ts";
import type { Report } from "../report/report.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { Source } from "../source/source.ts";
import type { RoutedEvent, Session } from "../types.ts";
import { Progress } from "./bookmark.ts";
import { catchUp } from "./catch-up.ts";
import { Confirmation } from "./confirmation.ts";
import { HeldRows, type HeldRun } from "./pending-ends.ts";
import { Teller } from "./report-ends.ts";
import { Requests } from "./requests.ts";
import { LiveRows } from "./row-events.ts";
import { historyKeyOf, OurSessions } from "./sessions/our-sessions.ts";
import { Subscriptions } from "./sessions/subscriptions.ts";

/** What a {@link Recovery} needs. */
export interface RecoveryOptions {
  readonly source: Pick<Source, "name" | "owner" | "request">;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly report: Report;
  readonly supervisor: Supervisor;
  readonly session: (sessionKey: string) => Session | undefined;
  readonly includeSubagents: boolean;
  readonly ttlMs: number;
  readonly retainMs: number;
  readonly maxRuns: number;
  readonly maxSessions: number;
  readonly maxHistoryRows: number;
  readonly recoveryTimeoutMs: number;
  /** Sends an event down the one path. */
  readonly emit: (event: RoutedEvent) => void;
  /** What was missed has been caught up, or that takes too long to wait for. */
  readonly onRecovered: () => void;
}

/** How often it is looked which runs are about to expire, and what is still owed, at most. */
const LONGEST_SWEEP_MS = 60_000;

/**
 * Hears what one Gateway does not broadcast, and catches up on what it said while we were away.
 * Both become chat events on the one path. A source that cannot ask only has its rows read.
 */
export class Recovery {
  private readonly options: RecoveryOptions;
  private readonly requests: Requests | undefined;
  private readonly progress: Progress;
  private readonly subscriptions: Subscriptions | undefined;
  private readonly ours: OurSessions;
  private readonly held: HeldRows;
  private readonly confirmation: Confirmation;
  private readonly teller: Teller;
  private readonly rows: LiveRows;
  /** Runs that were looked up before they expire: once is enough. */
  private readonly lookedUp: ExpiringMap<true>;
  /** Counts connections: what belongs to an earlier one is void. */
  private connection = 0;
  private connected = false;
  private isBehind = false;
  /** The rounds through the sessions, one after the other. */
  private round: Promise<void> = Promise.resolve();
  private isCatchingUp = false;
  private sweepTimer: unknown;
  /** Methods that failed over this connection: a Gateway that lacks one would fill the log. */
  private readonly complaints = new Set<string>();

  constructor(options: RecoveryOptions) {
    const { source, clock, report, supervisor, ledger, ttlMs, maxRuns, maxSessions, maxHistoryRows } = options;
    const { name: gateway, owner, request } = source;
    this.options = options;
    this.ours = new OurSessions(options);
    this.progress = new Progress({ ...options, gateway });
    this.requests =
      request &&
      new Requests({
        gateway,
        request,
        clock,
        onRequest: () => report.requested(),
        onFailure: (method, params, error) => {
          report.requestFailed(gateway, method, params, error, this.complaints.has(method));
          this.complaints.add(method);
        },
      });
    this.subscriptions = this.requests && new Subscriptions({ requests: this.requests, report, maxSessions });
    this.teller = new Teller({ gateway, owner, report, supervisor, emit: options.emit });
    this.lookedUp = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
    this.confirmation = new Confirmation({
      requests: this.requests,
      progress: this.progress,
      teller: this.teller,
      isLive: (runId) => supervisor.knows(gateway, runId) === "live",
      hasSteps: (runId) => this.rows.hasSteps(runId),
      hold: (run) => this.hold(run),
      maxRows: maxHistoryRows,
    });
    this.held = new HeldRows({ clock, maxRuns, onDue: (runs) => void this.confirmation.confirm(runs) });
    this.rows = new LiveRows({
      gateway,
      clock,
      ledger,
      ttlMs,
      maxRuns,
      supervisor,
      ours: this.ours,
      progress: this.progress,
      teller: this.teller,
      hold: (run) => this.hold(run),
      tellRow: (row, sessionKey) => void this.confirmation.tellRow(row, sessionKey),
      join: (sessionKey) => {
        if (this.connected && this.subscriptions?.has(sessionKey) === false) void this.subscriptions.add(sessionKey);
      },
      leave: (sessionKey) => this.subscriptions?.forget(sessionKey),
    });
  }

  /** The Gateway accepted us: subscribes and catches up, and says `onRecovered` once for this connection. */
  hello(): void {
    const { onRecovered, clock, recoveryTimeoutMs, report, source } = this.options;
    this.connection += 1;
    const { connection } = this;
    this.connected = true;
    this.complaints.clear();
    if (this.requests === undefined) return onRecovered();
    let isOpen = true;
    const done = () => {
      if (isOpen && this.connection === connection && this.connected) onRecovered();
      isOpen = false;
    };
    const timer = clock.setTimeout(() => {
      if (isOpen && this.connection === connection) report.recoveryLate(source.name);
      done();
    }, recoveryTimeoutMs);
    this.sweepLater();
    this.round = this.round.then(async () => {
      await this.catchUp(connection);
      clock.clearTimeout(timer as never);
      done();
    });
  }

  /** The connection is gone. */
  lost(): void {
    if (!this.connected) return;
    this.connected = false;
    this.requests?.cancel();
    this.subscriptions?.clear();
    this.progress.interrupt();
    if (this.sweepTimer !== undefined) this.options.clock.clearTimeout(this.sweepTimer as never);
    this.sweepTimer = undefined;
  }

  /** Takes every event of this Gateway that is not a chat event. */
  event(event: InboundEvent): void {
    this.rows.event(event);
  }

  /** Lets go of everything. */
  stop(): void {
    this.lost();
    this.requests?.cancel();
    this.held.clear();
    this.rows.clear();
    this.ours.clear();
    this.lookedUp.clear();
  }

  private hold(run: HeldRun): void {
    if (!this.held.hold(run)) this.options.report.endLost();
  }

  private async catchUp(connection: number): Promise<void> {
    const { requests, subscriptions, progress, ours, teller, options } = this;
    if (requests === undefined || subscriptions === undefined || this.connection !== connection || !this.connected)
      return;
    const { source, report, clock, maxHistoryRows } = options;
    const startedAt = clock.now();
    const before = report.stats.recovered;
    this.isCatchingUp = true;
    const result = await catchUp({
      ...options,
      gateway: source.name,
      requests,
      subscriptions,
      progress,
      ours,
      teller,
      maxRows: maxHistoryRows,
      liveRuns: () => this.liveRuns(),
      hold: (run, sessionKey) => {
        const since = (run.at ?? progress.now()) - 1;
        this.hold({ runId: run.runId, sessionKey, rows: [], since, recovered: true, tries: 0 });
      },
    });
    this.isCatchingUp = false;
    if (this.connection !== connection || !this.connected) return;
    this.isBehind = result.failed;
    report.caughtUp(source.name, result, report.stats.recovered - before, clock.now() - startedAt);
  }

  private liveRuns(): ReadonlyMap<string, ReadonlySet<string>> {
    const { supervisor, source } = this.options;
    const bySession = new Map<string, Set<string>>();
    for (const { gateway, sessionKey, runId } of supervisor.live()) {
      if (gateway !== source.name || sessionKey === undefined) continue;
      const key = historyKeyOf(sessionKey);
      bySession.set(key, (bySession.get(key) ?? new Set()).add(runId));
    }
    return bySession;
  }

  private sweepLater(): void {
    const { clock, ttlMs } = this.options;
    if (this.sweepTimer !== undefined) clock.clearTimeout(this.sweepTimer as never);
    const sweepMs = Math.max(1, Math.min(LONGEST_SWEEP_MS, Math.floor(ttlMs / 10)));
    this.sweepTimer = clock.setTimeout(() => {
      this.sweepLater();
      this.sweep(sweepMs);
    }, sweepMs);
  }

  private sweep(sweepMs: number): void {
    const { supervisor, source, clock, ttlMs } = this.options;
    // A run is looked up between two sweeps and one before its time is up.
    const due: HeldRun[] = [];
    for (const { gateway, runId, sessionKey, startedAt } of supervisor.oldest(clock.now() - ttlMs + 2 * sweepMs)) {
      if (gateway !== source.name || sessionKey === undefined || this.lookedUp.get(runId) !== undefined) continue;
      this.lookedUp.set(runId, true);
      const since = this.progress.atGateway(startedAt) - LONGEST_SWEEP_MS;
      due.push({ runId, sessionKey, rows: [], since, recovered: true, tries: Number.POSITIVE_INFINITY });
    }
    if (due.length > 0) void this.confirmation.confirm(due);
    if (this.isCatchingUp || !(this.isBehind || this.progress.owedSessions().length > 0)) return;
    const { connection } = this;
    this.round = this.round.then(() => this.catchUp(connection));
  }
}
