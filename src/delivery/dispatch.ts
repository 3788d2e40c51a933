import { errorText, InboxError, isInboxError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Counters } from "../report/counters.ts";
import type { Logbook } from "../report/log.ts";
import type { DeliveryOutcome, ProactiveMessage } from "../types.ts";
import { Delivery, type DeliveryOptions, type Undelivered } from "./lanes.ts";

export interface DispatchOptions extends Omit<DeliveryOptions, "stats" | "onDone"> {
  readonly ledger: Ledger;
  readonly stats: Counters;
  readonly log: Logbook;
  readonly maxPending: number;
  /** The message was recorded and is given to delivery. */
  readonly onDispatched: (message: ProactiveMessage) => void;
  readonly onDelivery: (outcome: DeliveryOutcome) => void;
  /** A message could not be recorded and is delivered from memory; undefined when one could again. */
  readonly onUnsafe: (error: InboxError | undefined) => void;
}

// What a process leaves behind when it dies is taken up by the others within a minute, without a restart.
const CLAIM_EVERY_MS = 60_000;

/** Takes messages on: records each in the ledger, gives it to delivery, and records how that ended. */
export class Dispatch {
  private readonly options: DispatchOptions;
  private readonly delivery: Delivery;
  private readonly taking = new Set<Promise<void>>();
  private claiming: unknown;
  private unsafe = false;

  constructor(options: DispatchOptions) {
    this.options = options;
    this.delivery = new Delivery({
      ...options,
      onRetry: (message, attempts, error, delayMs) => {
        options.stats.retried += 1;
        options.ledger.attempted(message.id, attempts, error);
        options.log.retried(message, attempts, error, delayMs);
        options.onRetry(message, attempts, error, delayMs);
      },
      onDone: (message, { status, attempts, error = "" }) => {
        if (status === "delivered") this.noteDelivered(message, attempts);
        else this.noteDead(message, attempts, error);
      },
    });
  }

  /** Takes up what no living process delivers, now and each minute. */
  async resume(): Promise<void> {
    const { clock, ledger, log } = this.options;
    try {
      for (const entry of await ledger.claim()) this.deliver(entry);
    } catch (error) {
      log.claimFailed(error);
    }
    if (this.claiming !== null) this.claiming = clock.setTimeout(() => void this.resume(), CLAIM_EVERY_MS);
  }

  /** Records a message; only then is it dispatched. Never waits. */
  take(message: ProactiveMessage): void {
    const taken = this.options.ledger.take(message);
    if (typeof taken === "boolean") return this.dispatch(message, taken);
    const taking = taken
      .then((isNew) => {
        if (this.unsafe) this.noteUnsafe(undefined);
        return isNew;
      })
      .catch((error: unknown) => {
        // Better delivered from memory than not at all: the ledger's trouble is not the reader's.
        this.noteUnsafe(error);
        return true;
      })
      .then((isNew) => this.dispatch(message, isNew))
      .finally(() => this.taking.delete(taking));
    this.taking.add(taking);
  }

  /** Delivers a dead letter anew. False when there is none of this id. */
  async redeliver(id: string): Promise<boolean> {
    const entry = await this.options.ledger.revive(id);
    if (entry !== undefined) this.deliver(entry);
    return entry !== undefined;
  }

  /** Waits at most `drainMs` for deliveries to finish; what is left stays `taken` in the ledger, which is closed. */
  async stop(drainMs: number): Promise<void> {
    if (this.claiming !== undefined) this.options.clock.clearTimeout(this.claiming as never);
    this.claiming = null;
    await Promise.all(this.taking);
    await this.delivery.stop(drainMs);
    await this.options.ledger.close();
  }

  private dispatch(message: ProactiveMessage, isNew: boolean): void {
    const { log, onDispatched, stats } = this.options;
    if (!isNew) {
      stats.alreadyTaken += 1;
      return log.alreadyTaken(message);
    }
    stats.dispatched += 1;
    if (message.late) stats.late += 1;
    onDispatched(message);
    this.deliver({ message, attempts: 0 });
  }

  private deliver(entry: Undelivered): void {
    const { maxPending, stats } = this.options;
    stats.pending += 1;
    if (stats.pending <= maxPending) return this.delivery.accept(entry);
    this.noteDead(entry.message, entry.attempts, `Over \`maxPending\` (${maxPending})`);
  }

  private noteUnsafe(error: unknown): void {
    this.unsafe = error !== undefined;
    if (error === undefined || isInboxError(error)) return this.options.onUnsafe(error);
    const text = `The ledger could not take a message: ${errorText(error)}`;
    this.options.onUnsafe(new InboxError("ERR_INBOX_LEDGER", text, {}, error));
  }

  private noteDelivered(message: ProactiveMessage, attempts: number): void {
    const { ledger, log, onDelivery, stats } = this.options;
    stats.pending -= 1;
    stats.delivered += 1;
    ledger.delivered(message.id, attempts);
    log.delivered(message, attempts);
    onDelivery({ status: "delivered", message, attempts });
  }

  private noteDead(message: ProactiveMessage, attempts: number, error: string): void {
    const { ledger, log, onDelivery, stats } = this.options;
    stats.pending -= 1;
    stats.dead += 1;
    ledger.dead(message.id, attempts, error);
    log.died(message, attempts, error);
    onDelivery({ status: "dead", message, attempts, error });
  }
}
