import { errorText, InboxError, isInboxError } from "../errors.ts";
import type { Ledger, TakeResult } from "../ledger/ledger.ts";
import type { Report } from "../report/report.ts";
import type { ProactiveMessage } from "../types.ts";
import { Delivery, type DeliveryOptions, type Undelivered } from "./lanes.ts";

export interface DispatchOptions extends Omit<DeliveryOptions, "report" | "onRetry" | "onDone"> {
  readonly ledger: Ledger;
  readonly report: Report;
  readonly maxPending: number;
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
        options.ledger.attempted(message.id, attempts, error);
        options.report.retried(message, attempts, error, delayMs);
      },
      onDone: (message, { status, attempts, error = "" }) => {
        if (status === "delivered") this.noteDelivered(message, attempts);
        else this.noteDead(message, attempts, error);
      },
    });
  }

  /** Opens the ledger and takes up what no living inbox delivers; from then on, whenever there may be more. */
  async start(): Promise<void> {
    await this.open();
    await this.claim();
  }

  /** Idempotent: the first message does it where nobody has called `start`. */
  private open(): Promise<void> {
    const { clock, ledger, ordering, report } = this.options;
    this.opening ??= ledger.open({
      clock,
      ordering,
      onAlarm: (error) => report.unsafe(error),
      onClaimable: () => void this.claim(),
    });
    return this.opening;
  }

  /** Claims until there is no more. One round at a time: a call during one makes it look once more. */
  private async claim(): Promise<void> {
    const { ledger, report } = this.options;
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
      report.claimFailed(error);
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
    const { report } = this.options;
    if (result === "solicited") return report.solicited(message);
    if (result === "known") return report.alreadyTaken(message);
    report.dispatched(message);
    // An inbox that still delivers earlier messages of this session claims it; or we do, once that one is done.
    if (result === "taken") this.deliver({ message, attempts: 0 });
  }

  private deliver(entry: Undelivered): void {
    const { maxPending, report } = this.options;
    report.pending();
    if (report.stats.pending <= maxPending) return this.delivery.accept(entry);
    this.noteDead(entry.message, entry.attempts, `Over \`maxPending\` (${maxPending})`);
  }

  private noteUnsafe(error: unknown): void {
    this.unsafe = error !== undefined;
    if (error === undefined || isInboxError(error)) return this.options.report.unsafe(error);
    const text = `The ledger could not take a message: ${errorText(error)}`;
    this.options.report.unsafe(new InboxError("ERR_INBOX_LEDGER", text, {}, error));
  }

  private noteDelivered(message: ProactiveMessage, attempts: number): void {
    this.options.ledger.delivered(message.id, attempts);
    this.options.report.delivered(message, attempts);
  }

  private noteDead(message: ProactiveMessage, attempts: number, error: string): void {
    this.options.ledger.dead(message.id, attempts, error);
    this.options.report.died(message, attempts, error);
  }
}
