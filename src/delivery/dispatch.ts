import { errorText, InboxError, isInboxError } from "../errors.ts";
import type { Ledger, TakeResult } from "../ledger/ledger.ts";
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
  /** The message's run was asked for by a host that shares the ledger. */
  readonly onSolicited: (message: ProactiveMessage) => void;
  readonly onDelivery: (outcome: DeliveryOutcome) => void;
  /** A message could not be recorded and is delivered from memory; undefined when one could again. */
  readonly onUnsafe: (error: InboxError | undefined) => void;
}

/** How many messages are claimed at once: their texts come into memory. */
const CLAIM_LIMIT = 200;

/** Takes messages on: records each in the ledger, gives it to delivery, and records how that ended. */
export class Dispatch {
  private readonly options: DispatchOptions;
  private readonly delivery: Delivery;
  private readonly taking = new Set<Promise<void>>();
  private opening: Promise<void> | undefined;
  private claiming = false;
  private claimAgain = false;
  private stopping = false;
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

  /** Opens the ledger and takes up what no living inbox delivers; from then on, whenever there may be more. */
  async resume(): Promise<void> {
    await this.open();
    await this.claim();
  }

  /** Idempotent: the first message does it where nobody has called `resume`. */
  private open(): Promise<void> {
    const { clock, ledger, ordering } = this.options;
    this.opening ??= ledger.open({
      clock,
      ordering,
      onAlarm: (error) => this.options.onUnsafe(error),
      onClaimable: () => void this.claim(),
    });
    return this.opening;
  }

  /** Claims until there is no more. One round at a time: a call during one makes it look once more. */
  private async claim(): Promise<void> {
    const { ledger, log } = this.options;
    this.claimAgain = true;
    if (this.claiming) return;
    this.claiming = true;
    try {
      while (this.claimAgain && !this.stopping) {
        this.claimAgain = false;
        const entries = await ledger.claim(CLAIM_LIMIT);
        if (entries.length === CLAIM_LIMIT) this.claimAgain = true;
        for (const entry of entries) this.deliver(entry);
      }
    } catch (error) {
      log.claimFailed(error);
    }
    this.claiming = false;
  }

  /** Remembers a run that was asked for, for all who share the ledger. */
  solicit(runId: string, until: number): void | Promise<void> {
    void this.open().catch(() => {});
    return this.options.ledger.solicit(runId, until);
  }

  /** Records a message; only then is it dispatched. Never waits. */
  take(message: ProactiveMessage): void {
    // What is wrong with it, `take` says, too.
    void this.open().catch(() => {});
    const taken = this.options.ledger.take(message);
    if (typeof taken === "string") return this.dispatch(message, taken);
    const taking = taken
      .then((result) => {
        if (this.unsafe) this.noteUnsafe(undefined);
        return result;
      })
      .catch((error: unknown) => {
        // Better delivered from memory than not at all: the ledger's trouble is not the reader's.
        this.noteUnsafe(error);
        return "taken" as const;
      })
      .then((result) => this.dispatch(message, result))
      .finally(() => this.taking.delete(taking));
    this.taking.add(taking);
  }

  /** Delivers a dead letter anew. False when there is none of this id. */
  async redeliver(id: string): Promise<boolean> {
    await this.open();
    if (!(await this.options.ledger.revive(id))) return false;
    await this.claim();
    return true;
  }

  /** Waits at most `drainMs` for deliveries to finish; what is left stays `taken` in the ledger, which is closed. */
  async stop(drainMs: number): Promise<void> {
    this.stopping = true;
    await Promise.all(this.taking);
    await this.delivery.stop(drainMs);
    await this.options.ledger.close();
  }

  private dispatch(message: ProactiveMessage, result: TakeResult): void {
    const { log, onDispatched, onSolicited, stats } = this.options;
    if (result === "solicited") return onSolicited(message);
    if (result === "known") {
      stats.alreadyTaken += 1;
      return log.alreadyTaken(message);
    }
    stats.dispatched += 1;
    if (message.late) stats.late += 1;
    onDispatched(message);
    // An inbox that still delivers earlier messages of this session claims it; or we do, once that one is done.
    if (result === "taken") this.deliver({ message, attempts: 0 });
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
