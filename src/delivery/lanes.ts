import { type Actor, createActor, type InspectionEvent } from "xstate";
import { type DeliveryOutput, deliveryMachine } from "../../machines/delivery.ts";
import { loopTurns } from "../kit/background.ts";
import { BriefMap } from "../kit/brief-map.ts";
import { type Clock, MAX_DELAY_MS } from "../kit/clock.ts";
import { Queue } from "../kit/queue.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import type { Activity, ProactiveMessage } from "../types.ts";
import { Attempt, type AttemptOptions } from "./attempt.ts";
import type { Deliver } from "./deliver.ts";
import type { Failure } from "./failure.ts";

/** A message that is recorded as `taken`, and how many attempts it has had. */
export type Undelivered = Pick<LedgerEntry, "message" | "attempts">;

/** How the delivery of a message ended. A dead message has the failure of its last attempt. */
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
  /** An attempt failed. The next follows in `delayMs`. */
  readonly onRetry: (message: ProactiveMessage, attempts: number, failure: Failure, delayMs: number) => void;
  /** The message was delivered or is dead. */
  readonly onEnd: (entry: Undelivered, end: LaneEnd) => void;
  /** Whether this inbox still has the lease of the message. */
  readonly isOurs: (message: ProactiveMessage) => boolean;
  /** Another inbox took the message over. It was dropped here. */
  readonly onLeaseLost: (entry: Undelivered) => void;
}

/** What lanes report. */
export interface LanesReport {
  /** How many attempts are in progress. */
  attempting(attempts: number): void;
  /** How many messages wait for their next attempt. */
  waiting(messages: number): void;
  /** The handler is about to be called. */
  attempted(message: ProactiveMessage, attempt: number): void;
}

/** The undelivered messages of one session, in order. The first one is being delivered. */
interface Lane {
  readonly name: string;
  readonly entries: Queue<Undelivered>;
  /** The delivery actor of the first message. It is made when the first attempt does not succeed at once. */
  actor: Actor<typeof deliveryMachine> | undefined;
  /** Why the last attempt of the first message failed. */
  failure: Failure | undefined;
  /** While the first message waits: its attempts, and when the next follows, in ms since the epoch. */
  wait: { readonly attempts: number; readonly nextAt: number } | undefined;
}

/**
 * Calls the host's handler until each message is delivered or dead. One message of a session is delivered at a time,
 * and `concurrency` messages over all sessions. A message that waits for its next attempt delays only its own session.
 * The event loop runs in between, however many messages wait.
 *
 * `machines/delivery.ts` says what happens to a message. A first attempt that succeeds needs no actor, unless somebody
 * inspects. A property test checks that both ways do the same.
 */
export class Lanes {
  private readonly options: LanesOptions;
  private readonly lanes = new BriefMap<string, Lane>();
  /** Lanes whose first message is due and waits for room. */
  private readonly due = new Queue<Lane>();
  private readonly running = new BriefMap<Attempt, Lane>();
  private readonly attemptOptions: AttemptOptions;
  private readonly timers: Clock;
  private waiting = 0;
  /** Whether a call of `fill` is planned already. */
  private isPlanned = false;
  private isFilling = false;
  private isStopped = false;
  private whenIdle: PromiseWithResolvers<void> | undefined;

  constructor(options: LanesOptions) {
    this.options = options;
    const { clock, deliver, timeoutMs } = options;
    this.attemptOptions = { clock, deliver, timeoutMs, onEnd: (attempt, failure) => this.end(attempt, failure) };
    // A message that waits for its next attempt is unfinished work: the process must not end before.
    this.timers = {
      now: () => clock.now(),
      setTimeout: (callback, ms) => clock.setTimeout(callback, Math.min(ms, MAX_DELAY_MS), true),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
  }

  /** Accepts a message. The handler is never called before this returns. */
  accept(entry: Undelivered): void {
    if (this.isStopped) return;
    const { message } = entry;
    const name = this.options.ordering === "none" ? message.id : `${message.gateway}\u0000${message.sessionKey}`;
    const lane = this.lanes.get(name);
    if (lane !== undefined) return lane.entries.push(entry);
    const opened: Lane = { name, entries: new Queue(), actor: undefined, failure: undefined, wait: undefined };
    opened.entries.push(entry);
    this.lanes.set(name, opened);
    this.begin(opened);
  }

  /** The messages whose handler is being called, and then those that wait for their next attempt. */
  delivering(): Activity[] {
    const found: Activity[] = [];
    for (const { message, number } of this.running.keys()) found.push({ kind: "delivering", message, attempt: number });
    if (this.waiting === 0) return found;
    for (const { entries, wait, failure } of this.lanes.values()) {
      const message = entries.peek()?.message;
      if (wait === undefined || message === undefined) continue;
      const { attempts: attempt, nextAt } = wait;
      found.push({ kind: "delivering", message, attempt, error: failure?.text ?? "", nextAt });
    }
    return found;
  }

  /** Resolves when no message is left to deliver, or at `stop`. */
  idle(): Promise<void> {
    if (this.lanes.size === 0) return Promise.resolve();
    this.whenIdle ??= Promise.withResolvers();
    return this.whenIdle.promise;
  }

  /** Aborts the attempts in progress and drops everything. Undelivered messages stay `taken` in the ledger. */
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
      // A handler that returns at once would block the event loop until the last message.
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
    // The actor starts before it is watched, because the attempt that it begins with has been made.
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
    actor.on("attempt", () => {
      if (lane.wait !== undefined) this.countWaiting(-1);
      lane.wait = undefined;
      this.makeDue(lane);
    });
    actor.on("retry", ({ attempts, delayMs }) => {
      lane.wait = { attempts, nextAt: this.options.clock.now() + delayMs };
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
    // Without output the actor was stopped and did not finish.
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

  /** Another inbox has taken the first message over. */
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
