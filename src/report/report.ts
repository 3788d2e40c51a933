import { Subject } from "rxjs/internal/Subject";
import type { InboxError } from "../errors.ts";
import { Feed } from "../kit/feed.ts";
import type {
  Activity,
  Alarm,
  DeliveryOutcome,
  EventEffect,
  HeardEvent,
  LinkStatus,
  Logger,
  ProactiveMessage,
  Rejection,
  RunOutcome,
  RunProgress,
} from "../types.ts";
import { type InboxStats, zeroCounts } from "./counters.ts";
import { type CaughtUp, createLog, type DeliveryFailure } from "./log.ts";

export interface ReportOptions {
  readonly logger?: Logger | undefined;
  /** What each subscriber of `activity$` is told first: the runs that are going on. */
  readonly joined: () => Iterable<Activity>;
}

/**
 * Where each fact is told, once, by whoever knows it. It is counted, logged and published here, and nowhere else.
 * Nothing here throws: what a subscriber throws, RxJS reports to the process in a turn of its own.
 */
export class Report {
  private readonly counts = zeroCounts();
  private readonly log;
  private readonly messages = new Subject<ProactiveMessage>();
  private readonly outcomes = new Subject<RunOutcome>();
  private readonly deliveries = new Subject<DeliveryOutcome>();
  private readonly rejections = new Subject<Rejection>();
  private readonly links = new Subject<LinkStatus>();
  private readonly alarms = new Subject<Alarm>();
  private readonly activity: Feed<Activity>;

  readonly messages$ = this.messages.asObservable();
  readonly outcomes$ = this.outcomes.asObservable();
  readonly deliveries$ = this.deliveries.asObservable();
  readonly rejections$ = this.rejections.asObservable();
  readonly links$ = this.links.asObservable();
  readonly alarms$ = this.alarms.asObservable();
  readonly activity$;

  constructor({ logger, joined }: ReportOptions) {
    this.log = createLog(logger);
    this.activity = new Feed(joined);
    this.activity$ = this.activity.values$;
  }

  /** The counters, as they are at each look. */
  get stats(): InboxStats {
    return this.counts;
  }

  // What comes in.

  frame(): void {
    this.counts.frames += 1;
  }

  /** A chat event passed the dedup window. */
  heard(): void {
    this.counts.events += 1;
  }

  rejected(rejection: Rejection): void {
    this.counts.rejected += 1;
    this.log.rejected(rejection);
    this.rejections.next(rejection);
  }

  duplicate(event: HeardEvent): void {
    this.counts.duplicates += 1;
    this.event(event, "duplicate", undefined);
  }

  dedupEvicted(): void {
    this.counts.dedupEvicted += 1;
  }

  afterStop(): void {
    this.counts.afterStop += 1;
  }

  // Runs.

  /** An event was taken to its run, which is still in `buffering`. */
  applied(event: HeardEvent, progress: RunProgress): void {
    this.event(event, "taken", progress);
  }

  unknownState(event: HeardEvent): void {
    this.counts.unknownStates += 1;
    this.log.unknownState(event);
    this.event(event, "unknown-state", undefined);
  }

  /** An event came whose run had settled. */
  afterEnd(event: HeardEvent): void {
    this.counts.afterEnd += 1;
    this.event(event, "after-end", undefined);
  }

  started(liveRuns: number): void {
    this.counts.started += 1;
    this.counts.liveRuns = liveRuns;
  }

  /** `bytes` more (or less, below 0) are buffered for live runs. */
  buffered(bytes: number): void {
    this.counts.bufferedBytes += bytes;
  }

  overLimit(): void {
    this.counts.overLimit += 1;
  }

  /** A run has left `buffering`. */
  ended(liveRuns: number): void {
    this.counts.liveRuns = liveRuns;
  }

  /** A run has an outcome, and no message. `cause`: why it errored, in words that may be logged. */
  settled(outcome: Exclude<RunOutcome, { status: "dispatched" }>, cause?: string): void {
    this.counts[outcome.status] += 1;
    this.log.settled(outcome, cause);
    this.outcomes.next(outcome);
  }

  /** The message's run turned out to be asked for, by a host that shares the ledger. */
  solicited({ gateway, runId, owner, sessionKey, text }: ProactiveMessage): void {
    const run = { gateway, runId, ...(owner !== undefined && { owner }), sessionKey, text };
    this.settled({ status: "discarded", reason: "solicited", ...run });
  }

  settledEvicted(): void {
    this.counts.settledEvicted += 1;
  }

  /** These runs were in `buffering` at `stop()`. */
  unfinished(runs: number): void {
    this.counts.unfinished += runs;
    this.counts.liveRuns = 0;
    this.counts.bufferedBytes = 0;
  }

  /** A function of the host's threw, or answered what it must not; named as in its options and calls. */
  hostError(name: string, error: unknown): void {
    this.counts.hostErrors += 1;
    this.log.hostError(name, error);
  }

  // Messages.

  /** A message is recorded in the ledger and given to delivery: its run has settled. */
  dispatched(message: ProactiveMessage): void {
    this.counts.dispatched += 1;
    if (message.late) this.counts.late += 1;
    const outcome = { status: "dispatched", message } as const;
    this.log.settled(outcome);
    this.outcomes.next(outcome);
    this.messages.next(message);
  }

  alreadyTaken(message: ProactiveMessage): void {
    this.counts.alreadyTaken += 1;
    this.log.alreadyTaken(message);
  }

  /** So many messages more (or fewer, below 0) wait to be delivered; they take so many bytes of memory. */
  pending(messages: number, bytes: number): void {
    this.counts.pending += messages;
    this.counts.pendingBytes += bytes;
  }

  /** A message is given up at once, because of `maxPending` or `maxPendingBytes`. */
  overPending(): void {
    this.counts.overPending += 1;
  }

  /** A message has gone over to another inbox while its handler was at work here. */
  leaseLost(message: ProactiveMessage): void {
    this.counts.leaseLost += 1;
    this.log.leaseLost(message);
  }

  /** So many attempts are under way. */
  attempting(attempts: number): void {
    this.counts.attempting = attempts;
  }

  /** So many messages wait for their next attempt. */
  waiting(messages: number): void {
    this.counts.waiting = messages;
  }

  /** The handler is about to be called. */
  attempted(message: ProactiveMessage, attempt: number): void {
    if (this.activity.observed) this.activity.next({ kind: "attempt", message, attempt });
  }

  /** An attempt failed, and another will follow in `delayMs`. */
  retried(message: ProactiveMessage, attempt: number, failure: DeliveryFailure, delayMs: number): void {
    this.counts.retried += 1;
    this.log.retried(message, attempt, failure, delayMs);
    if (!this.activity.observed) return;
    this.activity.next({ kind: "retry", message, attempt, error: failure.text, delayMs });
  }

  delivered(message: ProactiveMessage, attempts: number): void {
    this.counts.delivered += 1;
    this.log.delivered(message, attempts);
    this.deliveries.next({ status: "delivered", message, attempts });
  }

  /** Delivery gave the message up: it is a dead letter. */
  died(message: ProactiveMessage, attempts: number, failure: DeliveryFailure): void {
    this.counts.dead += 1;
    this.log.died(message, attempts, failure);
    this.deliveries.next({ status: "dead", message, attempts, error: failure.record });
  }

  /** The handler could not tell of something that is no message. */
  eventUntold(name: string, error: unknown): void {
    this.counts.eventsUntold += 1;
    this.log.eventUntold(name, error);
  }

  // The ledger.

  /** Messages can no longer be written down; undefined: they can again. */
  unsafe(error: InboxError | undefined): void {
    this.counts.unsafe = error === undefined ? 0 : 1;
    if (error === undefined) this.log.ledgerSafe();
    else this.log.ledgerError(error);
    this.alarms.next({ part: "ledger", ...(error !== undefined && { error }) });
  }

  claimFailed(error: unknown): void {
    this.log.claimFailed(error);
  }

  // Links and recovery.

  linked(status: LinkStatus): void {
    this.log.linked(status);
    this.links.next(status);
  }

  /** A session was subscribed to (1), or no longer is (-1 for each). */
  subscribed(sessions: number): void {
    this.counts.sessions += sessions;
  }

  sessionOverLimit(): void {
    this.counts.sessionsOverLimit += 1;
  }

  requested(): void {
    this.counts.recoveryRequests += 1;
  }

  /** A request was not sent: too many wait for an answer already. */
  requestOverLimit(): void {
    this.counts.requestsOverLimit += 1;
  }

  /** A request was given up. `isRepeat`: another one like it was logged already. */
  requestFailed(gateway: string, method: string, params: object, error: unknown, isRepeat: boolean): void {
    this.counts.recoveryFailed += 1;
    this.log.requestFailed(gateway, method, params, error, isRepeat);
  }

  /** More was missed in a session than may be read: only the newest rows were. */
  historyCut(gateway: string, sessionKey: string, rows: number): void {
    this.counts.historiesCut += 1;
    this.log.historyCut(gateway, sessionKey, rows);
  }

  /** How far a Gateway has been heard could not be read from the ledger. */
  bookmarkUnreadable(gateway: string, error: unknown): void {
    this.counts.recoveryFailed += 1;
    this.log.bookmarkUnreadable(gateway, error);
  }

  /** There was no room to keep an ended run until it could be looked up. */
  endLost(): void {
    this.counts.recoveryFailed += 1;
  }

  /** An end that was missed was found in a Gateway's history. */
  recovered(): void {
    this.counts.recovered += 1;
  }

  /** A session waits to be read (1), or no longer does (-1). */
  toRead(sessions: number): void {
    this.counts.recoveryPending += sessions;
  }

  catchingUp(gateway: string, read: number): void {
    this.log.catchingUp(gateway, read, this.counts.recoveryPending);
  }

  caughtUp(gateway: string, result: CaughtUp, recovered: number, tookMs: number): void {
    this.log.caughtUp(gateway, result, recovered, tookMs);
  }

  /** The link is live though catching up goes on. */
  recoveryLate(gateway: string): void {
    this.log.recoveryLate(gateway, this.counts.recoveryPending);
  }

  // The end.

  /** Completes everything that is published. */
  stopped(): void {
    this.log.stopped(this.counts.unfinished, this.counts.pending);
    const published = [this.messages, this.outcomes, this.deliveries, this.rejections, this.links, this.alarms];
    for (const subject of [...published, this.activity]) subject.complete();
  }

  private event(heard: HeardEvent, effect: EventEffect, progress: RunProgress | undefined): void {
    if (!this.activity.observed) return;
    const { gateway, owner, event, at } = heard;
    // No spread: this is made for every event.
    const seen = { kind: "event", effect, progress, gateway, event, at } as const;
    this.activity.next(owner === undefined ? seen : { ...seen, owner });
  }
}
