import { errorText, InboxError, isInboxError } from "../errors.ts";
import { orAborted } from "../kit/deadline.ts";
import { startTimer, type Timer } from "../kit/timer.ts";
import type { Ledger, TakeResult } from "../ledger/ledger.ts";
import type { DeliveryFailure } from "../report/log.ts";
import type { Report } from "../report/report.ts";
import type { Activity, ProactiveMessage } from "../types.ts";
import { Backlog } from "./backlog.ts";
import { Lanes, type LanesOptions, type Undelivered } from "./lanes.ts";
import { messageBytes } from "./message-bytes.ts";

export interface DispatchOptions extends Omit<LanesOptions, "onRetry" | "onEnd" | "isOurs" | "onLeaseLost"> {
  readonly ledger: Ledger;
  readonly report: Report;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** How long `stop` waits for a ledger that does not answer, in ms. It waits longer when deliveries take longer. */
const LEDGER_GRACE_MS = 5_000;

/**
 * Dispatches messages: it records each one in the ledger, puts it into its lane, and records how its delivery ended.
 */
export class Dispatch {
  private readonly options: DispatchOptions;
  private readonly lanes: Lanes;
  private readonly backlog: Backlog;
  private readonly taking = new Set<Promise<void>>();
  /** Aborted when `stop` is called. */
  private readonly stopping = new AbortController();
  /** Aborted when the time for deliveries is over. */
  private readonly drained = new AbortController();
  private readonly limits: Timer[] = [];
  private opening: Promise<void> | undefined;
  private isUnsafe = false;

  constructor(options: DispatchOptions) {
    this.options = options;
    const { ledger, report } = options;
    this.lanes = new Lanes({
      ...options,
      onRetry: (message, attempts, failure, delayMs) => {
        this.tell(() => ledger.attempted(message.id, attempts, failure.record));
        report.retried(message, attempts, failure, delayMs);
      },
      onEnd: ({ message }, end) => {
        report.pending(-1, -messageBytes(message));
        if (end.status === "dead") return this.bury(message, end.attempts, end.failure);
        this.tell(() => ledger.delivered(message.id, end.attempts));
        report.delivered(message, end.attempts);
        this.backlog.continue();
      },
      isOurs: ({ id }) => ledger.holds?.(id) ?? true,
      onLeaseLost: ({ message }) => {
        report.pending(-1, -messageBytes(message));
        report.leaseLost(message);
        this.backlog.continue();
      },
    });
    this.backlog = new Backlog({
      claim: (limit) => ledger.claim(limit),
      isFull: () => this.overLimit(0, 2) !== undefined,
      deliver: (entry) => this.deliver(entry),
      onError: (error) => report.claimFailed(error),
      signal: this.stopping.signal,
    });
  }

  /**
   * Opens the ledger and claims the undelivered messages that belong to no living inbox, now and whenever there may be
   * more. Resolves early when `stop` is called.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when the ledger cannot be opened.
   */
  async start(): Promise<void> {
    const { signal } = this.stopping;
    try {
      await orAborted(this.open(), signal);
      await orAborted(this.backlog.claim(), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Idempotent. The first message opens the ledger when `start` was not called. */
  private open(): Promise<void> {
    const { clock, ledger, ordering, report } = this.options;
    this.opening ??= ledger.open({
      clock,
      ordering,
      onAlarm: (error) => report.unsafe(error),
      onDamage: (error, messages) => report.damaged(error, messages),
      onClaimable: () => void this.backlog.claim(),
    });
    return this.opening;
  }

  /** Remembers a run that was asked for, for every inbox that shares the ledger. */
  solicit(runId: string, until: number): void | Promise<void> {
    void this.open().catch(() => {});
    return this.options.ledger.solicit(runId, until);
  }

  /** The messages that are being delivered: what a new watcher is told after the runs. */
  delivering(): Activity[] {
    return this.lanes.delivering();
  }

  /** Records a message. It is dispatched only when it is recorded. Never waits and never throws. */
  take(message: ProactiveMessage): void {
    // A ledger that cannot be opened fails at `take`, too, where it is handled.
    if (this.opening === undefined) void this.open().catch(() => {});
    let taken: TakeResult | Promise<TakeResult>;
    try {
      taken = this.options.ledger.take(message);
    } catch (error) {
      taken = Promise.reject(error);
    }
    if (typeof taken === "string") return this.dispatch(message, taken);
    const dispatch = (result: TakeResult) => {
      this.taking.delete(taking);
      this.dispatch(message, result);
    };
    const taking = taken.then(
      (result) => {
        if (this.isUnsafe) this.setUnsafe(undefined);
        dispatch(result);
      },
      (error: unknown) => {
        // A message without a record is still delivered from memory. A crash would lose it, so the ledger is reported
        // as unsafe.
        this.setUnsafe(error);
        dispatch("taken");
      },
    );
    this.taking.add(taking);
  }

  /**
   * Delivers a dead letter again. Resolves to false when there is none with this id.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when the ledger cannot be opened or written.
   */
  async redeliver(id: string): Promise<boolean> {
    await this.open();
    if (!(await this.options.ledger.revive(id))) return false;
    await this.backlog.claim();
    return true;
  }

  /**
   * Waits at most `drainMs` for deliveries to end, then aborts the attempts in progress. Undelivered messages stay
   * `taken` in the ledger, and the next start delivers them. The ledger is closed. Call it once.
   */
  async stop(drainMs: number): Promise<void> {
    const { ledger } = this.options;
    this.stopping.abort();
    this.limitDrain(drainMs);
    await this.untilDrained(Promise.all(this.taking).then(() => this.lanes.idle()));
    this.lanes.stop();
    // Messages that are being written or claimed belong to this inbox until the ledger is closed.
    const asked = Promise.all([...this.taking, this.backlog.claimed()]);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    this.limits.push(startTimer(this.options.clock, LEDGER_GRACE_MS, resolve, true));
    await Promise.race([asked, late]);
    this.drained.abort();
    for (const limit of this.limits) limit.cancel();
    await ledger.close();
  }

  /** Gives deliveries at most `ms` more. May be called before or after `stop`. */
  limitDrain(ms: number): void {
    const end = () => this.drained.abort();
    if (ms <= 0) end();
    else if (!this.drained.signal.aborted) this.limits.push(startTimer(this.options.clock, ms, end, true));
  }

  private async untilDrained(work: Promise<void>): Promise<void> {
    try {
      await orAborted(work, this.drained.signal);
    } catch {
      // The time is over.
    }
  }

  private dispatch(message: ProactiveMessage, result: TakeResult): void {
    const { report } = this.options;
    if (result === "solicited") return report.solicited(message);
    if (result === "known") return report.alreadyTaken(message);
    report.dispatched(message);
    // An inbox that still delivers earlier messages of this session will claim it. If that is this inbox, it claims it
    // after those.
    if (result !== "taken") return;
    const option = this.overLimit(messageBytes(message));
    if (option === undefined) return this.deliver({ message, attempts: 0 });
    report.overPending();
    const text = `Over \`${option}\` (${this.options[option]})`;
    this.bury(message, 0, { text, record: text });
  }

  private deliver(entry: Undelivered): void {
    this.options.report.pending(1, messageBytes(entry.message));
    this.lanes.accept(entry);
  }

  /** The limit that `bytes` more would exceed, or `1/part` of the limit. A single message is never too large. */
  private overLimit(bytes: number, part = 1): "maxPending" | "maxPendingBytes" | undefined {
    const { maxPending, maxPendingBytes, report } = this.options;
    const { pending, pendingBytes } = report.stats;
    if (pending === 0) return undefined;
    if (pending >= maxPending / part) return "maxPending";
    return pendingBytes + bytes > maxPendingBytes / part ? "maxPendingBytes" : undefined;
  }

  /**
   * A message becomes a dead letter here and nowhere else. Either the handler threw a `PermanentError`, the attempts
   * are used up, or there is no room. The ledger keeps it, `deadLetters()` lists it, `redeliver()` delivers it again.
   */
  private bury(message: ProactiveMessage, attempts: number, failure: DeliveryFailure): void {
    this.tell(() => this.options.ledger.dead(message.id, attempts, failure.record));
    this.options.report.died(message, attempts, failure);
    this.backlog.continue();
  }

  /** Reports to the ledger. A ledger must not throw, but a host's own ledger may. */
  private tell(report: () => void): void {
    try {
      report();
    } catch (error) {
      this.setUnsafe(error);
    }
  }

  private setUnsafe(error: unknown): void {
    this.isUnsafe = error !== undefined;
    if (error === undefined || isInboxError(error)) return this.options.report.unsafe(error);
    const text = `The ledger could not take a message: ${errorText(error)}`;
    this.options.report.unsafe(new InboxError("ERR_INBOX_LEDGER", text, {}, error));
  }
}
