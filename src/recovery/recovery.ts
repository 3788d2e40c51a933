import type { LinkEvent } from "../../machines/link.ts";
import { listJobs } from "../jobs/job-list.ts";
import { JobWatch } from "../jobs/job-watch.ts";
import type { Clock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import { Slots } from "../kit/slots.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { InboundEvent } from "../pipeline/pipeline.ts";
import { attachmentsOf } from "../protocol/attachments.ts";
import { isSilence } from "../protocol/silence.ts";
import { cutBeginning } from "../protocol/text.ts";
import type { Report } from "../report/report.ts";
import type { Supervisor } from "../runs/supervisor.ts";
import type { Link } from "../source/link.ts";
import type { Source } from "../source/source.ts";
import type { GatewayEvent, Session } from "../types.ts";
import { AnnouncedFiles } from "./announced-files.ts";
import { Bookmark } from "./bookmark.ts";
import { BoundJobs } from "./bound-jobs.ts";
import { catchUp } from "./catch-up.ts";
import { Generation } from "./generation.ts";
import { Histories } from "./history/history.ts";
import { NamelessRuns } from "./history/nameless-runs.ts";
import { PendingEnds } from "./pending-ends.ts";
import { ReportEnds } from "./report-ends.ts";
import { Requests } from "./requests.ts";
import { RowEvents } from "./row-events.ts";
import { addressName, addressOf } from "./sessions/address.ts";
import { OurSessions } from "./sessions/our-sessions.ts";
import { Subscriptions } from "./sessions/subscriptions.ts";

/** What {@link Recoveries} need. */
export interface RecoveriesOptions {
  readonly links: readonly Link[];
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly report: Report;
  readonly supervisor: Supervisor;
  readonly session: (sessionKey: string) => Session | undefined;
  readonly includeSubagents: boolean;
  readonly ttlMs: number;
  readonly maxRuns: number;
  readonly maxPending: number;
  readonly maxSessions: number;
  readonly maxHistoryRows: number;
  readonly recoveryTimeoutMs: number;
  readonly jobGraceMs: number;
  /** Sends an event down the one path. */
  readonly emit: (event: GatewayEvent) => void;
}

interface RecoveryOptions extends Omit<RecoveriesOptions, "links"> {
  readonly source: Pick<Source, "name" | "owner" | "request">;
  /** Called when what was missed has been caught up, or when that takes too long. */
  readonly onRecovered: () => void;
  /** Shared by all recoveries. */
  readonly slots: Slots;
  /** Among several connections to one Gateway, one watches the jobs. */
  readonly watchesJobs: boolean;
}

/** The longest time between two checks for runs that will expire and sessions that must be read, in ms. */
const LONGEST_SWEEP_MS = 60_000;
/** How many histories are in memory at once, for all Gateways together. */
const READING_AT_ONCE = 4;

/** The recovery of each connection. */
export class Recoveries {
  private readonly bySource: ReadonlyMap<Source, Recovery>;
  /** By Gateway and owner. If two connections have both in common, the last one is used for both. */
  private readonly byConnection: ReadonlyMap<string, Recovery>;
  /** By Gateway: the connection that watches its cron jobs. */
  private readonly byGateway: ReadonlyMap<string, Recovery>;

  constructor({ links, ...options }: RecoveriesOptions) {
    const slots = new Slots(READING_AT_ONCE);
    const watching = new Map(links.map(({ source }) => [source.name, source]));
    const recoveries = links.map((link) => {
      const { source } = link;
      const watchesJobs = watching.get(source.name) === source;
      const onRecovered = () => link.send({ type: "recovered" });
      return [source, new Recovery({ ...options, source, slots, watchesJobs, onRecovered })] as const;
    });
    this.bySource = new Map(recoveries);
    this.byGateway = new Map(recoveries.map(([{ name }, recovery]) => [name, recovery] as const));
    this.byConnection = new Map(
      recoveries.map(([{ name, owner }, recovery]) => [connectionName(name, owner), recovery] as const),
    );
  }

  /** The connection of a source has changed. */
  link(source: Source, event: LinkEvent): void {
    const recovery = this.bySource.get(source);
    if (event.type === "hello") recovery?.hello(event.hello);
    else if (event.type !== "connect") recovery?.lost();
  }

  /** Called with every event that is not a chat event. */
  event(event: InboundEvent): void {
    this.of(event)?.event(event);
  }

  /** Whether a chat event is kept. When it is known what it is, it is sent again. */
  keeps(event: GatewayEvent): boolean {
    const { state } = event.event;
    if (state === "status") return false;
    const watching = this.byGateway.get(event.gateway);
    if (state === "delta") {
      if (watching?.hasNamelessRuns === true) this.of(event)?.speaks(event);
      return false;
    }
    watching?.heard(event);
    if (state !== "final") return false;
    if (event.event.writtenAt !== undefined) for (const recovery of this.bySource.values()) recovery.hearFinal(event);
    return this.of(event)?.keeps(event) === true;
  }

  private of({ gateway, owner }: Pick<GatewayEvent, "gateway" | "owner">): Recovery | undefined {
    return this.byConnection.get(connectionName(gateway, owner));
  }

  /** Ends everything, for good. */
  stop(): void {
    for (const recovery of this.bySource.values()) recovery.stop();
  }
}

/** Identifies a connection: a Gateway may be listened to for several owners. */
function connectionName(gateway: string, owner: string | undefined): string {
  return `${gateway}\u0000${owner ?? ""}`;
}

/** The parts that need requests to the Gateway. */
interface Asking {
  readonly requests: Requests;
  readonly histories: Histories;
  readonly subscriptions: Subscriptions;
}

/**
 * Hears what one Gateway does not broadcast, and catches up on what was missed. Both become chat events on the one
 * path. If the source takes no requests, only rows are read.
 */
class Recovery {
  private readonly options: RecoveryOptions;
  private readonly asking: Asking | undefined;
  private readonly bookmark: Bookmark;
  private readonly ours: OurSessions;
  private readonly generation = new Generation();
  private readonly nameless: NamelessRuns;
  private readonly ends: ReportEnds;
  private readonly pending: PendingEnds;
  private readonly bound: BoundJobs;
  private readonly files: AnnouncedFiles;
  private readonly rows: RowEvents;
  private readonly jobs: JobWatch | undefined;
  /** Runs that were looked up before they expire. One lookup is enough. */
  private readonly lookedUp: ExpiringMap<true>;
  private readonly stopped = new AbortController();
  /** Aborted when the connection is lost. Undefined without a connection. */
  private connection: AbortController | undefined;
  /** The `hello-ok` of the last connection. */
  private greeting: unknown;
  /** Something is missing and must be read again. */
  private isBehind = false;
  /** The current and the next rounds through the sessions, one after the other. */
  private round: Promise<void> = Promise.resolve();
  private isCatchingUp = false;
  private sweepTimer: Timer | undefined;

  constructor(options: RecoveryOptions) {
    const { source, slots, clock, report, ttlMs, maxRuns, maxSessions, maxHistoryRows } = options;
    const { name: gateway, owner, request } = source;
    const stopped = this.stopped.signal;
    const { generation } = this;
    const shared = { ...options, gateway, owner, stopped, generation };
    this.options = options;
    this.ours = new OurSessions(options);
    this.bookmark = new Bookmark(shared);
    this.nameless = new NamelessRuns(shared);
    this.ends = new ReportEnds(shared);
    this.lookedUp = new ExpiringMap({ windowMs: ttlMs, maxKeys: maxRuns, clock });
    if (request !== undefined) {
      const requests = new Requests({ gateway, request, clock, report });
      const histories = new Histories({ gateway, report, requests, generation, slots, maxRows: maxHistoryRows });
      this.asking = { requests, histories, subscriptions: new Subscriptions({ requests, report, maxSessions }) };
    }
    const { bookmark, nameless, ends, ours } = this;
    this.pending = new PendingEnds({ ...shared, ...this.asking, bookmark, nameless, ends });
    this.bound = new BoundJobs({ ...shared, ...this.asking, bookmark, ours });
    this.files = new AnnouncedFiles(options);
    this.jobs = this.watchJobs(shared);
    this.rows = new RowEvents({
      ...shared,
      onRow: ({ kind, runId = "", text, attachments = [] }, sessionKey) => {
        // A token of silence has no row.
        if (kind === "reply" && text.trim() === "" && attachments.length === 0)
          this.jobs?.heard({ runId, sessionKey, answer: "nothing", origin: "unknown" });
      },
      ...this.asking,
      bookmark,
      ends,
      nameless,
      ours,
      pending: this.pending,
      bound: this.bound,
      files: this.files,
    });
    // Rows without a run id matter only when histories are read.
    if (request === undefined) return;
    const outcomes = report.outcomes$.subscribe((outcome) => nameless.hear(outcome));
    stopped.addEventListener("abort", () => outcomes.unsubscribe(), { once: true });
  }

  /** The Gateway accepted us. Subscribes and catches up, and calls `onRecovered` once for this connection. */
  hello(hello: unknown): void {
    if (this.stopped.signal.aborted) return;
    this.lost();
    const connection = new AbortController();
    this.connection = connection;
    const { signal } = connection;
    this.rows.setConnected(true);
    this.generation.setHello(hello);
    if (this.asking === undefined) return this.options.onRecovered();
    this.greeting = hello;
    this.sweepLater();
    this.catchUp(signal, this.recoveredSoon(signal));
  }

  /** The connection is lost. */
  lost(): void {
    const { connection } = this;
    if (connection === undefined) return;
    this.connection = undefined;
    this.missFiles();
    this.rows.setConnected(false);
    connection.abort();
    this.asking?.requests.cancel();
    this.asking?.subscriptions.clear();
    this.sweepTimer?.cancel();
    this.jobs?.lost();
    this.bound.lost();
    this.pending.sweep();
    this.bookmark.interrupt();
  }

  /** Only a run that a client asked for has files that no row names. */
  private missFiles(): void {
    const { supervisor, source } = this.options;
    if (!this.generation.namesRuns) return;
    for (const { gateway, runId } of supervisor.live()) {
      const isAsked = gateway === source.name && supervisor.sourceOf(gateway, runId).origin === "requested";
      if (isAsked) this.files.miss(runId);
    }
  }

  /** Whether a chat event is kept, because it is not known yet where its message belongs. */
  keeps(event: GatewayEvent): boolean {
    if (this.stopped.signal.aborted) return false;
    return this.keepsCut(event) || this.bound.keeps(event) || this.keepsForFiles(event);
  }

  /**
   * Completes a final whose announced files are missing: from its rows, or from the history. Returns whether it is
   * kept.
   */
  private keepsForFiles({ event, ...from }: GatewayEvent): boolean {
    const { supervisor, source, emit } = this.options;
    const { runId, sessionKey, messageText: text = "", attachments, placed, agentId, spawnedBy } = event;
    if (attachments !== undefined || sessionKey === undefined) return false;
    if (supervisor.knows(source.name, runId) === "settled") return false;
    const told = this.files.of(runId);
    const hasWords = (text || supervisor.textSoFar(source.name, runId)).trim() !== "";
    const isToLookUp = this.files.isIncomplete(runId, hasWords) && placed === undefined && this.asking !== undefined;
    if (!isToLookUp || !this.ours.has(sessionKey, spawnedBy)) {
      if (told === undefined) return false;
      const { seq: _, ...rest } = event;
      emit({ ...from, event: { ...rest, attachments: attachmentsOf(told, { ...from, sessionKey, runId, agentId }) } });
      return true;
    }
    const address = this.generation.historyOf(addressOf(sessionKey, agentId));
    const files = told === undefined ? {} : { attachments: told };
    const final = { kind: "reply", runId, text, truncated: false, ...files } as const;
    this.bookmark.hear(address, { opens: runId });
    this.pending.add({ runId, address, sessionKey, recovered: false, final });
    return true;
  }

  /**
   * Completes a final whose text the Gateway has cut from the history. Its deltas have more of the text than the final,
   * but not always all of it. Returns whether the final is kept.
   */
  private keepsCut({ event }: GatewayEvent): boolean {
    const { supervisor, source } = this.options;
    const { runId, sessionKey, messageText: cut = "", truncated, agentId, spawnedBy } = event;
    if (truncated !== true || this.asking === undefined || sessionKey === undefined) return false;
    if (!this.ours.has(sessionKey, spawnedBy) || supervisor.knows(source.name, runId) === "settled") return false;
    const soFar = supervisor.textSoFar(source.name, runId).trimEnd();
    const text = soFar.length > cut.length && soFar.startsWith(cutBeginning(cut)) ? soFar : cut;
    const address = this.generation.historyOf(addressOf(sessionKey, agentId));
    const final = { kind: "reply", runId, text, truncated: true } as const;
    this.bookmark.hear(address, { opens: runId });
    this.pending.add({ runId, address, sessionKey, recovered: false, final });
    return true;
  }

  /** Called with every event of this Gateway that is not a chat event. */
  event(event: InboundEvent): void {
    if (this.stopped.signal.aborted) return;
    this.rows.event(event);
    this.jobs?.event(event);
  }

  /** Whether the Gateway's rows carry no run id. */
  get hasNamelessRuns(): boolean {
    return this.generation.keepsRunsApart;
  }

  /** Called with the deltas of runs whose rows carry no run id. */
  speaks({ event }: GatewayEvent): void {
    if (!this.stopped.signal.aborted) this.rows.speaks(event);
  }

  /** Called with every final that the Gateway wrote itself, from every connection. */
  hearFinal({ gateway, event }: GatewayEvent): void {
    const isHere = gateway === this.options.source.name && this.asking !== undefined;
    if (isHere && !this.stopped.signal.aborted) this.nameless.hearFinal(event);
  }

  /** Called with the end of every run of this Gateway, from every connection. */
  heard({ gateway, event }: GatewayEvent): void {
    const { jobs, options } = this;
    // An event that was kept was heard before.
    if (jobs === undefined || event.placed !== undefined) return;
    const { runId, state, messageText = "", attachments = [] } = event;
    const source = options.supervisor.sourceOf(gateway, runId);
    const text = messageText.trim() === "" ? options.supervisor.textSoFar(gateway, runId) : messageText;
    const isEmpty = attachments.length === 0 && (text.trim() === "" || isSilence(text));
    const answer = state !== "final" ? "failed" : isEmpty ? "empty" : "spoke";
    jobs.heard({
      runId,
      jobId: event.job?.id ?? source.jobId,
      sessionKey: event.sessionKey ?? source.sessionKey,
      answer,
      origin: event.origin ?? source.origin,
    });
  }

  /** Ends everything, for good. The next start finds what has not been reported. */
  stop(): void {
    this.bound.stop();
    this.lost();
    this.jobs?.stop();
    this.stopped.abort();
    this.bookmark.stop();
    this.asking?.requests.cancel();
    this.rows.clear();
    this.files.clear();
    this.ours.clear();
    this.nameless.clear();
    this.lookedUp.clear();
  }

  private watchJobs(shared: { readonly gateway: string }): JobWatch | undefined {
    const { asking, options, ours } = this;
    const { watchesJobs, jobGraceMs: graceMs, supervisor } = options;
    if (asking === undefined || !watchesJobs || graceMs === 0) return undefined;
    return new JobWatch({
      ...options,
      ...shared,
      graceMs,
      isOurs: (sessionKey) => ours.has(sessionKey),
      ask: (method, params) => asking.requests.ask(method, params),
      liveKeys: () =>
        supervisor.live().flatMap(({ gateway, sessionKey = [] }) => (gateway === shared.gateway ? sessionKey : [])),
      isCatchingUp: () => this.isCatchingUp,
    });
  }

  /** Requests the cron jobs. Without an answer, only jobs that fire while we listen are known. */
  private async loadJobs({ requests }: Asking, at: number | undefined, signal: AbortSignal): Promise<void> {
    const { bound, jobs, generation, greeting } = this;
    const asOf = jobs?.eventCount ?? 0;
    try {
      const listed = await listJobs((method, params) => requests.ask(method, params));
      bound.load(listed);
      jobs?.hearTime(at);
      await jobs?.begin(listed, { hello: greeting, speaksAfterEnd: generation.keepsRunsApart, signal, asOf });
    } catch {
      // `Requests` has counted and logged it.
    }
    if (!signal.aborted) bound.resume();
  }

  /** Calls `onRecovered` when told to, or when that takes too long, but only while the connection lives. */
  private recoveredSoon(signal: AbortSignal): () => void {
    const { onRecovered, clock, recoveryTimeoutMs, report, source } = this.options;
    const done = () => {
      timer.cancel();
      signal.removeEventListener("abort", done);
      if (!signal.aborted) onRecovered();
    };
    const timer = startTimer(clock, recoveryTimeoutMs, () => {
      report.recoveryLate(source.name);
      done();
    });
    signal.addEventListener("abort", done);
    return done;
  }

  /** Goes through the sessions once more, after the current round. */
  private catchUp(signal: AbortSignal, done: () => void = () => {}): void {
    this.isCatchingUp = true;
    this.round = this.round.then(async () => {
      if (!signal.aborted) await this.catchUpOnce(signal);
      if (signal.aborted) return;
      this.isCatchingUp = false;
      done();
    });
  }

  private async catchUpOnce(signal: AbortSignal): Promise<void> {
    const { asking, bookmark, options } = this;
    if (asking === undefined) return;
    const { source, report, clock } = options;
    const startedAt = clock.now();
    const before = report.stats.recovered;
    try {
      await bookmark.load();
    } catch (error) {
      this.isBehind = true;
      return report.bookmarkUnreadable(source.name, error);
    }
    const { ours, ends, pending, nameless, generation, bound, files } = this;
    const loadJobs = (at: number | undefined) => this.loadJobs(asking, at, signal);
    const parts = { ...asking, bookmark, ours, ends, pending, nameless, generation, bound, files, loadJobs };
    const result = await catchUp({ ...options, ...parts, gateway: source.name, liveRuns: this.liveRuns(), signal });
    if (signal.aborted) return;
    this.isBehind = result.failed;
    report.caughtUp(source.name, result, report.stats.recovered - before, clock.now() - startedAt);
  }

  private liveRuns(): ReadonlyMap<string, { readonly key: string; readonly runIds: Set<string> }> {
    const { supervisor, source } = this.options;
    const bySession = new Map<string, { readonly key: string; readonly runIds: Set<string> }>();
    for (const { gateway, sessionKey, runId } of supervisor.live()) {
      if (gateway !== source.name || sessionKey === undefined) continue;
      const address = this.generation.historyOf({ key: sessionKey });
      const name = addressName(address);
      const known = bySession.get(name) ?? { key: address.key, runIds: new Set<string>() };
      bySession.set(name, known);
      known.runIds.add(runId);
    }
    return bySession;
  }

  private sweepLater(): void {
    const { clock, ttlMs } = this.options;
    this.sweepTimer?.cancel();
    const sweepMs = Math.max(1, Math.min(LONGEST_SWEEP_MS, Math.floor(ttlMs / 10)));
    this.sweepTimer = startTimer(clock, sweepMs, () => {
      this.sweepLater();
      this.sweep(sweepMs);
    });
  }

  private sweep(sweepMs: number): void {
    const { supervisor, source, clock, ttlMs } = this.options;
    const { pending, connection } = this;
    pending.sweep();
    // Each run is looked up once, one or two sweeps before it expires.
    for (const { gateway, runId, sessionKey } of supervisor.oldest(clock.now() - ttlMs + 2 * sweepMs)) {
      if (gateway !== source.name || sessionKey === undefined || this.lookedUp.get(runId) !== undefined) continue;
      this.lookedUp.set(runId, true);
      pending.lookUp({ runId, address: this.generation.historyOf({ key: sessionKey }), sessionKey, recovered: true });
    }
    if (connection === undefined || this.isCatchingUp || !(this.isBehind || this.bookmark.isDoubted)) return;
    this.catchUp(connection.signal);
  }
}
