import type { InboxError } from "../errors.ts";
import { Feed } from "../kit/feed.ts";
import type {
  Activity,
  Alarm,
  DeliveryOutcome,
  EventEffect,
  HeardEvent,
  JobAlarm,
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
  /** What each new subscriber of `activity$` is sent first: the runs in `buffering`, then the messages that are being delivered. */
  readonly joined: () => Iterable<Activity>;
}

/**
 * Every fact is reported here once, by the part that knows it. It is counted, logged and published here and nowhere
 * else. No method throws: when a subscriber throws, RxJS reports that to the process in a later turn.
 */
export class Report {
  private readonly counts = zeroCounts();
  private readonly log;
  private readonly messages = new Feed<ProactiveMessage>();
  private readonly outcomes = new Feed<RunOutcome>();
  private readonly deliveries = new Feed<DeliveryOutcome>();
  private readonly rejections = new Feed<Rejection>();
  private readonly links = new Feed<LinkStatus>();
  private readonly alarms = new Feed<Alarm>();
  private readonly activity: Feed<Activity>;

  readonly messages$ = this.messages.values$;
  readonly outcomes$ = this.outcomes.values$;
  readonly deliveries$ = this.deliveries.values$;
  readonly rejections$ = this.rejections.values$;
  readonly links$ = this.links.values$;
  readonly alarms$ = this.alarms.values$;
  readonly activity$;

  constructor({ logger, joined }: ReportOptions) {
    this.log = createLog(logger);
    this.activity = new Feed(joined);
    this.activity$ = this.activity.values$;
  }

  /** The counters. They change as things happen; it is not a copy. */
  get stats(): InboxStats {
    return this.counts;
  }

  // Input.

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

  /** A Gateway sends something that no tested one has sent. `isLast`: further names are not reported. */
  drifted(gateway: string, what: string, name: string, isLast: boolean): void {
    this.log.drifted(gateway, what, name, isLast);
  }

  // Runs.

  /** An event changed its run, which is still in `buffering`. */
  applied(event: HeardEvent, progress: RunProgress): void {
    this.event(event, "taken", progress);
  }

  unknownState(event: HeardEvent): void {
    this.counts.unknownStates += 1;
    this.log.unknownState(event);
    this.event(event, "unknown-state", undefined);
  }

  /** An event came after its run had settled. */
  afterEnd(event: HeardEvent): void {
    this.counts.afterEnd += 1;
    this.event(event, "after-end", undefined);
  }

  started(liveRuns: number): void {
    this.counts.started += 1;
    this.counts.liveRuns = liveRuns;
  }

  /** The text buffered for live runs grew by `bytes`; below 0, it shrank. */
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

  /** A run has settled without a message. `cause` says why it errored, in words that may be logged. */
  settled(outcome: Exclude<RunOutcome, { status: "dispatched" }>, cause?: string): void {
    this.counts[outcome.status] += 1;
    this.log.settled(outcome, cause);
    this.outcomes.next(outcome);
  }

  /** A run was found to be asked for by a host that shares the ledger, after its message was made. */
  solicited({ gateway, runId, owner, sessionKey, startedAt, text }: ProactiveMessage): void {
    const run = { gateway, runId, ...(owner !== undefined && { owner }), sessionKey, startedAt, text };
    this.settled({ status: "discarded", reason: "solicited", origin: "requested", ...run });
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

  /** A function of the host threw, or returned something invalid. `name` is the option's or the call's. */
  hostError(name: string, error: unknown): void {
    this.counts.hostErrors += 1;
    this.log.hostError(name, error);
  }

  // Messages.

  /** A message is recorded in the ledger and given to delivery. Its run has settled. */
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

  /** The number and the size of undelivered messages grew by this much; below 0, they shrank. */
  pending(messages: number, bytes: number): void {
    this.counts.pending += messages;
    this.counts.pendingBytes += bytes;
  }

  /** A message was given up at once, because of `maxPending` or `maxPendingBytes`. */
  overPending(): void {
    this.counts.overPending += 1;
  }

  /** Another inbox took a message over while its handler ran here. */
  leaseLost(message: ProactiveMessage): void {
    this.counts.leaseLost += 1;
    this.log.leaseLost(message);
  }

  /** How many attempts are in progress. */
  attempting(attempts: number): void {
    this.counts.attempting = attempts;
  }

  /** How many messages wait for their next attempt. */
  waiting(messages: number): void {
    this.counts.waiting = messages;
  }

  /** The handler is about to be called. */
  attempted(message: ProactiveMessage, attempt: number): void {
    if (this.activity.observed) this.activity.next({ kind: "attempt", message, attempt });
  }

  /** An attempt failed. The next follows in `delayMs`. */
  retried(message: ProactiveMessage, attempt: number, failure: DeliveryFailure, delayMs: number): void {
    this.counts.retried += 1;
    this.log.retried(message, attempt, failure, delayMs);
    if (!this.activity.observed) return;
    this.activity.next({ kind: "retry", message, attempt, error: failure.text, delayMs });
  }

  delivered(message: ProactiveMessage, attempts: number): void {
    this.counts.delivered += 1;
    this.log.delivered(message, attempts);
    if (this.deliveries.observed) this.deliveries.next({ status: "delivered", message, attempts });
  }

  /** Delivery gave up on the message: it is a dead letter. */
  died(message: ProactiveMessage, attempts: number, failure: DeliveryFailure): void {
    this.counts.dead += 1;
    this.log.died(message, attempts, failure);
    this.deliveries.next({ status: "dead", message, attempts, error: failure.record });
  }

  /** A handler could not report an event (see `Deliver.attach`). */
  eventUntold(name: string, error: unknown): void {
    this.counts.eventsUntold += 1;
    this.log.eventUntold(name, error);
  }

  // The ledger.

  /** Messages cannot be written to the ledger. `undefined`: they can again. */
  unsafe(error: InboxError | undefined): void {
    this.counts.unsafe = error === undefined ? 0 : 1;
    if (error === undefined) this.log.ledgerSafe();
    else this.log.ledgerError(error);
    this.alarms.next({ part: "ledger", ...(error !== undefined && { error }) });
  }

  /** This many recorded messages cannot be read, because the ledger is damaged. */
  damaged(error: InboxError, messages: number): void {
    this.counts.damaged += messages;
    this.log.ledgerError(error);
    this.alarms.next({ part: "ledger", error });
    if (this.counts.unsafe === 0) this.alarms.next({ part: "ledger" });
  }

  claimFailed(error: unknown): void {
    this.log.claimFailed(error);
  }

  // Links and recovery.

  linked(status: LinkStatus): void {
    this.log.linked(status);
    this.links.next(status);
  }

  /** One session was subscribed to (1), or some were unsubscribed from (-1 for each). */
  subscribed(sessions: number): void {
    this.counts.sessions += sessions;
  }

  sessionOverLimit(): void {
    this.counts.sessionsOverLimit += 1;
  }

  requested(): void {
    this.counts.recoveryRequests += 1;
  }

  /** A request was not sent, because too many others wait for an answer. */
  requestOverLimit(): void {
    this.counts.requestsOverLimit += 1;
  }

  /** A request was given up. `isRepeat`: a similar failure was logged already. */
  requestFailed(gateway: string, method: string, params: object, error: unknown, isRepeat: boolean): void {
    this.counts.recoveryFailed += 1;
    this.log.requestFailed(gateway, method, params, error, isRepeat);
  }

  /** A session has missed more rows than may be read. Only the newest rows were read. */
  historyCut(gateway: string, sessionKey: string, rows: number): void {
    this.counts.historiesCut += 1;
    this.log.historyCut(gateway, sessionKey, rows);
  }

  /** The bookmarks of a Gateway could not be read from the ledger. */
  bookmarkUnreadable(gateway: string, error: unknown): void {
    this.counts.recoveryFailed += 1;
    this.log.bookmarkUnreadable(gateway, error);
  }

  /** A run's end could not be looked up, because too many others wait for that. */
  endLost(): void {
    this.counts.recoveryFailed += 1;
  }

  /** A run's end was missed and then found in a Gateway's history. */
  recovered(): void {
    this.counts.recovered += 1;
  }

  /** One more session waits to be read (1), or one fewer (-1). */
  toRead(sessions: number): void {
    this.counts.recoveryPending += sessions;
  }

  catchingUp(gateway: string, read: number): void {
    this.log.catchingUp(gateway, read, this.counts.recoveryPending);
  }

  caughtUp(gateway: string, result: CaughtUp, recovered: number, tookMs: number): void {
    this.log.caughtUp(gateway, result, recovered, tookMs);
  }

  /** The link is live, and catching up continues. */
  recoveryLate(gateway: string): void {
    this.log.recoveryLate(gateway, this.counts.recoveryPending);
  }

  // Cron jobs.

  /** The number of followed jobs grew by this much; below 0, it shrank. */
  jobsFollowed(jobs: number): void {
    this.counts.jobs += jobs;
  }

  /** A job is not followed, because too many others are. */
  jobOverLimit(): void {
    this.counts.jobsOverLimit += 1;
  }

  /** A job was due and said nothing. */
  jobSilent(alarm: JobAlarm): void {
    this.counts.jobAlarms += 1;
    this.counts.silentJobs += 1;
    this.log.jobSilent(alarm);
    this.alarms.next(alarm);
  }

  /** A job that was silent is heard again. */
  jobHeard(alarm: JobAlarm): void {
    this.counts.silentJobs -= 1;
    this.log.jobHeard(alarm);
    this.alarms.next(alarm);
  }

  /** A job was silent already when an earlier process stopped. */
  jobRemembered(): void {
    this.counts.silentJobs += 1;
  }

  /** A silent job was removed, or is not followed any longer. */
  jobForgotten(): void {
    this.counts.silentJobs -= 1;
  }

  // Stop.

  /** Completes every observable. */
  stopped(): void {
    this.log.stopped(this.counts.unfinished, this.counts.pending);
    const published = [this.messages, this.outcomes, this.deliveries, this.rejections, this.links, this.alarms];
    for (const feed of [...published, this.activity]) feed.complete();
  }

  private event(heard: HeardEvent, effect: EventEffect, progress: RunProgress | undefined): void {
    if (!this.activity.observed) return;
    const { gateway, owner, event, at } = heard;
    // Built for each event: a spread would cost time here.
    const seen = { kind: "event", effect, progress, gateway, event, at } as const;
    this.activity.next(owner === undefined ? seen : { ...seen, owner });
  }
}
