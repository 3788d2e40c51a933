import { type Actor, createActor, type InspectionEvent } from "xstate";
import { type DeliveryEvent, type DeliveryOutput, deliveryMachine } from "../../machines/delivery.ts";
import { errorText, InboxError, isInboxError } from "../errors.ts";
import { type Clock, MAX_DELAY_MS } from "../kit/clock.ts";
import { Queue } from "../kit/queue.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import type { Report } from "../report/report.ts";
import type { ProactiveMessage } from "../types.ts";
import type { Deliver } from "./deliver.ts";
import { retryAfterMs } from "./retry-after.ts";

export interface DeliveryOptions {
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
  readonly report: Pick<Report, "attempting" | "attempted" | "waiting">;
  /** An attempt failed and another will follow in `delayMs`. */
  readonly onRetry: (message: ProactiveMessage, attempts: number, error: string, delayMs: number) => void;
  /** The message was delivered or has died. */
  readonly onDone: (message: ProactiveMessage, output: DeliveryOutput) => void;
}

/** A message that is recorded as `taken`, and how often it was tried before. */
export type Undelivered = Pick<LedgerEntry, "message" | "attempts">;

/** The messages that must be delivered one after the other; the first is on its way. */
interface Lane {
  readonly name: string;
  readonly entries: Queue<Undelivered>;
  actor: Actor<typeof deliveryMachine> | undefined;
  /** Its first message waits for its next attempt. */
  waits: boolean;
}

/**
 * Calls the host's handler: one message of a session at a time, `concurrency` at once over all
 * sessions, each until it succeeds or gives up. A message that waits for its next attempt holds up
 * its own session only.
 */
export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly lanes = new Map<string, Lane>();
  /** Lanes whose first message is due and waits for room. */
  private readonly due = new Queue<Lane>();
  private readonly attempts = new Set<AbortController>();
  /** Messages that wait for their next attempt. */
  private waiting = 0;
  private readonly timers: Clock;
  private idle: (() => void) | undefined;
  private stopped = false;

  constructor(options: DeliveryOptions) {
    this.options = options;
    const { clock } = options;
    // A message that waits for its next attempt is work in hand: the process must not end under it.
    this.timers = {
      now: () => clock.now(),
      setTimeout: (callback, ms) => clock.setTimeout(callback, Math.min(ms, MAX_DELAY_MS), true),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
  }

  /** Takes a message over. Never calls the handler before it returns. */
  accept(entry: Undelivered): void {
    if (this.stopped) return;
    const { message } = entry;
    const name = this.options.ordering === "none" ? message.id : `${message.gateway}\u0000${message.sessionKey}`;
    const lane = this.lanes.get(name) ?? { name, entries: new Queue<Undelivered>(), actor: undefined, waits: false };
    lane.entries.push(entry);
    if (lane.entries.size > 1) return;
    this.lanes.set(name, lane);
    queueMicrotask(() => this.begin(lane));
  }

  /**
   * Waits until everything is delivered or dead, at most `drainMs`; then aborts what is still being
   * attempted and lets go. What was not finished stays `taken` in the ledger.
   */
  async stop(drainMs: number): Promise<void> {
    if (this.lanes.size > 0 && drainMs > 0 && !this.stopped) {
      await new Promise<void>((resolve) => {
        const timer = this.timers.setTimeout(resolve, drainMs);
        this.idle = () => {
          this.timers.clearTimeout(timer as never);
          resolve();
        };
      });
    }
    this.stopped = true;
    for (const { actor } of this.lanes.values()) actor?.stop();
    this.lanes.clear();
    this.waiting = 0;
    this.options.report.waiting(0);
    for (const attempt of this.attempts) attempt.abort(new InboxError("ERR_INBOX_STOPPED", "The inbox is stopping"));
  }

  /** The lane's first message gets an actor of its own. */
  private begin(lane: Lane): void {
    const entry = lane.entries.peek();
    if (entry === undefined || this.stopped) return;
    const { maxAttempts, firstDelayMs, maxDelayMs, inspect } = this.options;
    const actor = createActor(deliveryMachine, {
      clock: this.timers,
      input: { maxAttempts, firstDelayMs, maxDelayMs, attempts: entry.attempts },
      ...(inspect && { inspect }),
    });
    lane.actor = actor;
    actor.subscribe({
      next: (snapshot) => {
        this.noteWait(lane, snapshot.matches("waiting"));
        if (snapshot.matches("attempting")) this.queue(lane);
        if (snapshot.matches("waiting")) {
          const { attempts, error, delayMs } = snapshot.context;
          this.options.onRetry(entry.message, attempts, error ?? "", delayMs);
        }
      },
      complete: () => this.finish(lane, entry, actor.getSnapshot().output),
    });
    actor.start();
  }

  private noteWait(lane: Lane, waits: boolean): void {
    if (lane.waits === waits) return;
    lane.waits = waits;
    this.waiting += waits ? 1 : -1;
    this.options.report.waiting(this.waiting);
  }

  private queue(lane: Lane): void {
    this.due.push(lane);
    this.fill();
  }

  private fill(): void {
    while (this.attempts.size < this.options.concurrency) {
      const lane = this.due.shift();
      if (lane === undefined) return;
      void this.attempt(lane);
    }
  }

  private async attempt({ actor, entries }: Lane): Promise<void> {
    const entry = entries.peek();
    if (actor === undefined || entry === undefined) return;
    const control = new AbortController();
    this.attempts.add(control);
    this.options.report.attempting(this.attempts.size);
    let result: DeliveryEvent = { type: "succeeded" };
    const attempt = actor.getSnapshot().context.attempts;
    this.options.report.attempted(entry.message, attempt);
    try {
      await this.call(entry.message, attempt, control);
    } catch (error) {
      result = {
        type: "failed",
        error: errorText(error),
        permanent: isInboxError(error, "ERR_INBOX_PERMANENT"),
        retryAfterMs: retryAfterMs(error),
        jitter: this.options.random(),
      };
    }
    this.attempts.delete(control);
    this.options.report.attempting(this.attempts.size);
    // After `stop` nobody waits for the result: the message stays `taken` and is delivered anew.
    if (this.stopped) return;
    actor.send(result);
    this.fill();
  }

  /** One call of the handler. Rejects when it fails, when it takes too long, or when the inbox stops. */
  private async call(message: ProactiveMessage, attempt: number, control: AbortController): Promise<void> {
    const { deliver, timeoutMs } = this.options;
    const { signal } = control;
    const tooLate = () => {
      control.abort(new InboxError("ERR_INBOX_TIMEOUT", `The handler took longer than \`timeoutMs\` (${timeoutMs})`));
    };
    const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : this.timers.setTimeout(tooLate, timeoutMs);
    try {
      // A handler that ignores the signal must not hold its place: the attempt ends with the signal.
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      await Promise.race([deliver(message, { attempt, signal }), aborted]);
    } finally {
      if (timer !== undefined) this.timers.clearTimeout(timer as never);
    }
  }

  private finish(lane: Lane, entry: Undelivered, output: DeliveryOutput | undefined): void {
    // No output: the actor was stopped, not finished.
    if (output === undefined) return;
    lane.entries.shift();
    lane.actor = undefined;
    this.options.onDone(entry.message, output);
    if (lane.entries.size > 0) return this.begin(lane);
    this.lanes.delete(lane.name);
    if (this.lanes.size === 0) this.idle?.();
  }
}
