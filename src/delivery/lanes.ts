import { type Actor, createActor, type InspectionEvent } from "xstate";
import { type DeliveryOutput, deliveryMachine } from "../../machines/delivery.ts";
import { loopTurns } from "../kit/background.ts";
import { type Clock, MAX_DELAY_MS } from "../kit/clock.ts";
import { Queue } from "../kit/queue.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import type { ProactiveMessage } from "../types.ts";
import { Attempt, type AttemptOptions } from "./attempt.ts";
import type { Deliver } from "./deliver.ts";
import type { Failure } from "./failure.ts";

/** A message that is recorded as `taken`, and how often it was tried before. */
export type Undelivered = Pick<LedgerEntry, "message" | "attempts">;

/** How the delivery of a message ended. `failure`: of its last attempt, when it is dead. */
export type LaneEnd =
  | { readonly status: "delivered"; readonly attempts: number }
  | { readonly status: "dead"; readonly attempts: number; readonly failure: Failure };

export interface LanesOptions {
  readonly deliver: Deliver;
  readonly clock: Clock;
  readonly maxAttempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly ordering: "session" | "none";
  /** A number in [0, 1), for the jitter. */
  readonly random: () => number;
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  readonly report: LanesReport;
  /** An attempt failed, and another will follow in `delayMs`. */
  readonly onRetry: (message: ProactiveMessage, attempts: number, failure: Failure, delayMs: number) => void;
  /** The message was delivered or is dead. */
  readonly onEnd: (entry: Undelivered, end: LaneEnd) => void;
  /** Whether the message is still this inbox's to deliver. */
  readonly isOurs: (message: ProactiveMessage) => boolean;
  /** The message is not this inbox's any more, and was dropped. */
  readonly onLeaseLost: (entry: Undelivered) => void;
}

/** Where lanes tell what goes on in them. */
export interface LanesReport {
  /** So many attempts are under way. */
  attempting(attempts: number): void;
  /** So many messages wait for their next attempt. */
  waiting(messages: number): void;
  /** The handler is about to be called. */
  attempted(message: ProactiveMessage, attempt: number): void;
}

/** The undelivered messages of one session, in order; the first is on its way. */
interface Lane {
  readonly name: string;
  readonly entries: Queue<Undelivered>;
  /** Of the first message, once it needs one. */
  actor: Actor<typeof deliveryMachine> | undefined;
  /** Why the first message's last attempt failed. */
  failure: Failure | undefined;
}

/**
 * Calls the host's handler: one message of a session at a time, `concurrency` at once over all sessions, each until it
 * succeeds or gives up. A message that waits for its next attempt holds up its own session only. However many wait,
 * the event loop turns in between.
 *
 * What a message goes through is `machines/delivery.ts`. A first attempt that succeeds needs no actor of it, unless
 * somebody inspects: a property test holds the two ways to each other.
 */
export class Lanes {
  private readonly options: LanesOptions;
  private readonly lanes = new Map<string, Lane>();
  /** Lanes whose first message is due and waits for room. */
  private readonly due = new Queue<Lane>();
  private readonly running = new Map<Attempt, Lane>();
  private readonly attemptOptions: AttemptOptions;
  private readonly timers: Clock;
  private waiting = 0;
  /** `fill` will be called, so nobody else need. */
  private isPlanned = false;
  private isFilling = false;
  private isStopped = false;
  private whenIdle: PromiseWithResolvers<void> | undefined;

  constructor(options: LanesOptions) {
    this.options = options;
    const { clock, deliver, timeoutMs } = options;
    this.attemptOptions = { clock, deliver, timeoutMs, onEnd: (attempt, failure) => this.end(attempt, failure) };
    // A message that waits for its next attempt is work in hand: the process must not end before.
    this.timers = {
      now: () => clock.now(),
      setTimeout: (callback, ms) => clock.setTimeout(callback, Math.min(ms, MAX_DELAY_MS), true),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
  }

  /** Takes a message over. Never calls the handler before it returns. */
  accept(entry: Undelivered): void {
    if (this.isStopped) return;
    const { message } = entry;
    const name = this.options.ordering === "none" ? message.id : `${message.gateway}\u0000${message.sessionKey}`;
    const lane = this.lanes.get(name);
    if (lane !== undefined) return lane.entries.push(entry);
    const opened: Lane = { name, entries: new Queue(), actor: undefined, failure: undefined };
    opened.entries.push(entry);
    this.lanes.set(name, opened);
    this.begin(opened);
  }

  /** Resolves when nothing is left to deliver, or at `stop`. */
  idle(): Promise<void> {
    if (this.lanes.size === 0) return Promise.resolve();
    this.whenIdle ??= Promise.withResolvers();
    return this.whenIdle.promise;
  }

  /** Aborts what is being attempted and lets go of everything. What is not delivered by now stays `taken` in the ledger. */
  stop(): void {
    this.isStopped = true;
    for (const { actor } of this.lanes.values()) actor?.stop();
    for (const attempt of this.running.keys()) attempt.drop();
    this.lanes.clear();
    this.running.clear();
    this.options.report.attempting(0);
    this.options.report.waiting(0);
    this.whenIdle?.resolve();
  }

  private begin(lane: Lane): void {
    const entry = lane.entries.peek();
    if (entry === undefined) return;
    if (this.options.inspect === undefined) this.makeDue(lane);
    else this.watch(lane, entry, this.createActor(lane, entry)).start();
  }

  private makeDue(lane: Lane): void {
    this.due.push(lane);
    if (this.isPlanned || this.isFilling) return;
    this.isPlanned = true;
    queueMicrotask(() => {
      this.isPlanned = false;
      this.fill();
    });
  }

  private fill(): void {
    if (this.isFilling || this.isPlanned) return;
    this.isFilling = true;
    const { concurrency } = this.options;
    while (this.due.size > 0 && this.running.size < concurrency && !this.isStopped) {
      // A handler that returns at once would keep the loop for itself until the last message.
      if (loopTurns.isOver) {
        this.isPlanned = true;
        void loopTurns.next().then(() => {
          this.isPlanned = false;
          this.fill();
        });
        break;
      }
      this.attempt(this.due.shift() as Lane);
    }
    this.isFilling = false;
  }

  private attempt(lane: Lane): void {
    const entry = lane.entries.peek() as Undelivered;
    const { message, attempts } = entry;
    if (!this.options.isOurs(message)) return this.drop(lane, entry);
    const number = lane.actor?.getSnapshot().context.attempts ?? attempts + 1;
    const attempt = new Attempt(message, number, this.attemptOptions);
    this.running.set(attempt, lane);
    this.options.report.attempting(this.running.size);
    this.options.report.attempted(message, number);
    attempt.begin();
  }

  private end(attempt: Attempt, failure: Failure | undefined): void {
    const lane = this.running.get(attempt) as Lane;
    const entry = lane.entries.peek() as Undelivered;
    this.running.delete(attempt);
    this.options.report.attempting(this.running.size);
    if (failure === undefined) this.succeed(lane, entry, attempt.number);
    else if (failure.isLeaseLost) this.drop(lane, entry);
    else this.fail(lane, entry, failure);
    this.fill();
  }

  private succeed(lane: Lane, entry: Undelivered, attempts: number): void {
    if (lane.actor !== undefined) lane.actor.send({ type: "succeeded" });
    else this.finish(lane, entry, { status: "delivered", attempts });
  }

  private fail(lane: Lane, entry: Undelivered, failure: Failure): void {
    lane.failure = failure;
    // Started before it is watched: the attempt that it begins with has been made.
    const actor = lane.actor ?? this.watch(lane, entry, this.createActor(lane, entry).start());
    const { permanent, retryAfterMs, text: error } = failure;
    actor.send({ type: "failed", error, permanent, retryAfterMs, jitter: this.options.random() });
  }

  private createActor(lane: Lane, { attempts }: Undelivered): Actor<typeof deliveryMachine> {
    const { maxAttempts, firstDelayMs, maxDelayMs, inspect } = this.options;
    lane.actor = createActor(deliveryMachine, {
      clock: this.timers,
      input: { maxAttempts, firstDelayMs, maxDelayMs, attempts },
      ...(inspect && { inspect }),
    });
    return lane.actor;
  }

  private watch(lane: Lane, entry: Undelivered, actor: Actor<typeof deliveryMachine>): Actor<typeof deliveryMachine> {
    let isWaiting = false;
    actor.on("attempt", () => {
      if (isWaiting) this.countWaiting(-1);
      isWaiting = false;
      this.makeDue(lane);
    });
    actor.on("retry", ({ attempts, delayMs }) => {
      isWaiting = true;
      this.countWaiting(1);
      if (lane.failure !== undefined) this.options.onRetry(entry.message, attempts, lane.failure, delayMs);
    });
    actor.subscribe({ complete: () => this.complete(lane, entry, actor.getSnapshot().output) });
    return actor;
  }

  private countWaiting(change: 1 | -1): void {
    this.waiting += change;
    this.options.report.waiting(this.waiting);
  }

  private complete(lane: Lane, entry: Undelivered, output: DeliveryOutput | undefined): void {
    // No output: the actor was stopped, not finished.
    if (output === undefined) return;
    const { status, attempts } = output;
    const { failure } = lane;
    if (status === "delivered") this.finish(lane, entry, { status, attempts });
    else if (failure !== undefined) this.finish(lane, entry, { status, attempts, failure });
  }

  private finish(lane: Lane, entry: Undelivered, end: LaneEnd): void {
    this.options.onEnd(entry, end);
    this.next(lane);
  }

  /** The first message has gone over to another inbox. */
  private drop(lane: Lane, entry: Undelivered): void {
    lane.actor?.stop();
    this.options.onLeaseLost(entry);
    this.next(lane);
  }

  private next(lane: Lane): void {
    lane.entries.shift();
    lane.actor = undefined;
    lane.failure = undefined;
    if (lane.entries.size > 0) return this.begin(lane);
    this.lanes.delete(lane.name);
    if (this.lanes.size > 0) return;
    this.whenIdle?.resolve();
    this.whenIdle = undefined;
  }
}
