import type { Clock } from "../../kit/clock.ts";
import { startTimer } from "../../kit/timer.ts";
import { keyOf } from "../sql/rows.ts";
import type { Lease } from "./lease.ts";
import type { Batch, Pending, PendingTake } from "./pending.ts";
import { textToStore } from "./text-column.ts";
import { isRefusal, sqlState } from "./trouble.ts";

/** How long to wait for a row that a transaction has locked, in ms. */
const LOCKED_MS = 250;
/** How many times a call is repeated after a deadlock. */
const RETRIES = 3;

/** A read or a claim that waits for everything reported before it. */
interface Job {
  readonly after: number;
  readonly run: (lease: Lease) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

interface Told {
  readonly id: string;
  readonly what: "elsewhere" | "known" | "mine" | "solicited" | "later" | "refused";
}

export interface WriterOptions {
  readonly pending: Pending;
  /** The messages that this inbox delivers. */
  readonly held: Set<string>;
  readonly clock: () => Clock;
  /** Put before the names of the schema. */
  readonly prefix: string;
  /** The lease to write with; undefined while the server is gone. */
  readonly lease: () => Lease | undefined;
  /** Makes the error for a person. */
  readonly trouble: (error: unknown) => Error;
  readonly onLost: (lease: Lease, error: unknown) => void;
  /** Called when the server refused something that it will refuse again. */
  readonly onRefused: (error: unknown) => void;
  /** Called when everything reported so far is written. */
  readonly onWritten: () => void;
}

/** Writes what is pending, as much as possible at once. Then runs the jobs that wait for that. */
export class Writer {
  private readonly options: WriterOptions;
  private jobs: Job[] = [];
  private writing: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.options = options;
  }

  /** Runs when everything reported so far is written. Rejects when the server is gone. */
  job<T>(run: (lease: Lease) => Promise<T>): Promise<T> {
    const { pending, trouble } = this.options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.jobs.push({
      after: pending.last,
      run: (lease) => run(lease).then(resolve, (error: unknown) => reject(trouble(error))),
      fail: reject,
    });
    this.work();
    return promise;
  }

  /** There is something to write, or the server is back. */
  work(): void {
    if (this.options.lease() === undefined || this.writing !== undefined) return;
    // Starts in a later microtask, so that everything reported in this turn is included.
    this.writing = Promise.resolve()
      .then(() => this.write())
      .finally(() => {
        this.writing = undefined;
        if (this.hasWork) this.work();
      });
  }

  private get hasWork(): boolean {
    const { pending } = this.options;
    return pending.isDue || this.jobs.some(({ after }) => pending.isWritten(after));
  }

  private async write(): Promise<void> {
    const { pending, onLost, onWritten } = this.options;
    for (let lease = this.options.lease(); lease !== undefined && this.hasWork; lease = this.options.lease()) {
      try {
        if (pending.isDue) await this.record(lease);
      } catch (error) {
        lease.close();
        return onLost(lease, error);
      }
      if (pending.size === 0) onWritten();
      const due = this.jobs.filter(({ after }) => pending.isWritten(after));
      this.jobs = this.jobs.filter((job) => !due.includes(job));
      for (const job of due) await job.run(lease);
    }
  }

  private async record(lease: Lease): Promise<void> {
    const { pending, onRefused } = this.options;
    const batch = pending.next(false);
    try {
      return this.note(batch, await this.send(lease, batch));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    // Something in the batch is refused. Write each entry alone to find it.
    for (let left = sizeOf(batch); left > 0 && pending.isDue; left -= 1) {
      const one = pending.next(true);
      try {
        this.note(one, await this.send(lease, one));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        onRefused(error);
        for (const take of one.takes) if (!take.isAnswered) this.answerFromMemory(take);
        pending.written(one);
      }
    }
  }

  private async send(lease: Lease, { takes, reports, solicits, bookmarks }: Batch): Promise<readonly Told[]> {
    const column = (index: number) => takes.map(({ parameters }) => parameters[index]);
    const [ids, gateways, sessionKeys, lanes, runIds, ats, bodies] = [0, 1, 2, 3, 4, 5, 6].map(column);
    const values = [
      ...[lease.id, this.options.clock().now()],
      ...[ids, gateways, sessionKeys, lanes, runIds, ats, bodies, takes.map(({ isAnswered }) => isAnswered)],
      ...[reports.map(({ key }) => key), reports.map(({ state }) => state)],
      ...[reports.map(({ attempts }) => attempts), reports.map(({ error }) => error), reports.map(({ at }) => at)],
      ...[solicits.map(([runId]) => runId), solicits.map(([, { until }]) => until)],
      ...[bookmarks.map(([name]) => keyOf(name)), bookmarks.map(([, { value }]) => textToStore(value))],
    ];
    const places = values.map((_, index) => `$${index + 1}`).join(", ");
    const text = `select * from ${this.options.prefix}record(${places})`;
    for (let left = RETRIES; ; left -= 1) {
      try {
        for (const take of takes) take.isSent = true;
        return (await lease.query(text, values)).rows as Told[];
      } catch (error) {
        // The server ended a deadlock.
        if (!(sqlState(error) ?? "").startsWith("40") || left === 0) throw error;
      }
    }
  }

  /** Processes the server's answer to a batch. */
  private note(batch: Batch, told: readonly Told[]): void {
    const locked = new Set(told.filter(({ what }) => what === "later").map(({ id }) => id));
    const { pending, clock } = this.options;
    pending.written(batch, locked);
    if (locked.size > 0)
      startTimer(clock(), LOCKED_MS, () => {
        pending.unlock();
        this.work();
      });
    const results = new Map(
      told.filter(({ what }) => what !== "later" && what !== "refused").map(({ id, what }) => [id, what]),
    );
    for (const take of batch.takes) this.noteTake(take, results.get(take.key) ?? "taken");
  }

  private noteTake({ message, isAnswered, resolve }: PendingTake, what: Told["what"] | "taken"): void {
    // "mine": it was recorded by a call whose answer was lost.
    const isOurs = what === "taken" || what === "mine";
    if (isAnswered) {
      // Another host has recorded it, and delivers it.
      if (!isOurs) this.options.held.delete(message.id);
      return;
    }
    if (isOurs) this.options.held.add(message.id);
    resolve(isOurs ? "taken" : what === "elsewhere" || what === "solicited" ? what : "known");
  }

  /** The server does not answer, so the message is delivered from memory. */
  answerFromMemory(take: PendingTake): void {
    take.isAnswered = true;
    this.options.held.add(take.message.id);
    take.resolve("taken");
  }

  /** Fails everything that waits. */
  fail(error: unknown): void {
    for (const job of this.jobs.splice(0)) job.fail(error);
  }
}

function sizeOf({ takes, reports, solicits, bookmarks }: Batch): number {
  return takes.length + reports.length + solicits.length + bookmarks.length;
}
