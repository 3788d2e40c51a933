import type { ProactiveMessage } from "../../types.ts";
import type { LedgerHost, TakeResult } from "../ledger.ts";
import { keyOf, takeParameters } from "../sql/rows.ts";

/** A message to record. */
export interface PendingTake {
  readonly number: number;
  readonly message: ProactiveMessage;
  readonly key: string;
  readonly parameters: readonly (string | number)[];
  readonly answer: Promise<TakeResult>;
  readonly resolve: (result: TakeResult) => void;
  /** It was answered from memory and is being delivered. */
  isAnswered: boolean;
  /** It was sent. If no answer came, it may be recorded. */
  isSent: boolean;
}

/** The result of an attempt or a delivery. */
export interface Report {
  readonly number: number;
  readonly id: string;
  readonly key: string;
  readonly state: "taken" | "delivered" | "dead";
  readonly attempts: number;
  readonly error: string;
  /** In ms since the epoch. */
  readonly at: number;
}

interface PendingSolicit {
  readonly number: number;
  readonly until: number;
  readonly done: PromiseWithResolvers<void>;
}

interface PendingBookmark {
  readonly number: number;
  readonly value: string;
}

/** What one call to the server writes. */
export interface Batch {
  readonly takes: readonly PendingTake[];
  readonly reports: readonly Report[];
  readonly solicits: readonly (readonly [string, PendingSolicit])[];
  readonly bookmarks: readonly (readonly [string, PendingBookmark])[];
}

const MAX_TAKES = 500;
/** The most characters in one batch. A longer message goes alone. */
const MAX_CHARS = 4_000_000;
const MAX_OTHERS = 2_000;

/**
 * What is to be written, in the order in which it came. If something is reported twice, only the last report is kept.
 */
export class Pending {
  private readonly takes = new Map<string, PendingTake>();
  private readonly reports = new Map<string, Report>();
  private readonly solicits = new Map<string, PendingSolicit>();
  private readonly bookmarks = new Map<string, PendingBookmark>();
  /** Reports whose rows were locked. */
  private locked: ReadonlySet<Report> = new Set();
  private number = 0;

  /** The number of the newest entry. */
  get last(): number {
    return this.number;
  }

  get size(): number {
    return this.takes.size + this.reports.size + this.solicits.size + this.bookmarks.size;
  }

  takeOf(id: string): PendingTake | undefined {
    return this.takes.get(id);
  }

  /** Whether `next` has something. */
  get isDue(): boolean {
    return this.size > this.locked.size;
  }

  /** Whether a message is delivered or dead, and only the server does not know it. */
  isOver(id: string): boolean {
    const report = this.reports.get(id);
    return report !== undefined && report.state !== "taken";
  }

  unansweredTakes(): PendingTake[] {
    return [...this.takes.values()].filter(({ isAnswered }) => !isAnswered);
  }

  /** The value that is not written yet. */
  bookmarkOf(name: string): string | undefined {
    return this.bookmarks.get(name)?.value;
  }

  /** @throws {InboxError} `ERR_INBOX_OPTION` when its session holds what JSON cannot. */
  take(message: ProactiveMessage, ordering: LedgerHost["ordering"], now: number): PendingTake {
    const parameters = takeParameters(message, ordering, now, "");
    const { promise, resolve } = Promise.withResolvers<TakeResult>();
    const take = {
      number: ++this.number,
      message,
      key: keyOf(message.id),
      parameters,
      answer: promise,
      resolve,
      isAnswered: false,
      isSent: false,
    };
    this.takes.set(message.id, take);
    return take;
  }

  report(id: string, report: Pick<Report, "state" | "attempts" | "error" | "at">): void {
    const earlier = this.reports.get(id);
    if (earlier !== undefined && this.locked.has(earlier))
      this.locked = new Set([...this.locked].filter((one) => one !== earlier));
    this.reports.delete(id);
    this.reports.set(id, {
      ...report,
      number: ++this.number,
      id,
      key: keyOf(id),
    });
  }

  solicit(runId: string, until: number): Promise<void> {
    const earlier = this.solicits.get(runId);
    this.solicits.delete(runId);
    const done = earlier?.done ?? Promise.withResolvers<void>();
    this.solicits.set(runId, {
      number: ++this.number,
      until: Math.max(until, earlier?.until ?? 0),
      done,
    });
    return done.promise;
  }

  /** The message was found recorded and is claimed. It need not be recorded any longer. */
  supersede(id: string): void {
    const take = this.takes.get(id);
    if (take === undefined) return;
    this.takes.delete(id);
    take.resolve(take.isSent ? "elsewhere" : "known");
  }

  bookmark(name: string, value: string): void {
    this.bookmarks.delete(name);
    this.bookmarks.set(name, { number: ++this.number, value });
  }

  /** Whether everything up to this number is written. */
  isWritten(upTo: number): boolean {
    return [this.takes, this.reports, this.solicits, this.bookmarks].every((of) => {
      const [first] = of.values();
      return first === undefined || first.number > upTo;
    });
  }

  /** The next batch to write, or a single entry with `one`. `written` removes the entries. */
  next(one: boolean): Batch {
    const takes: PendingTake[] = [];
    let chars = 0;
    let isMore = false;
    for (const take of this.takes.values()) {
      chars += String(take.parameters[6]).length;
      isMore = takes.length > 0 && (one || takes.length >= MAX_TAKES || chars > MAX_CHARS);
      if (isMore) break;
      takes.push(take);
    }
    const upTo = isMore ? (takes.at(-1)?.number ?? 0) : Number.POSITIVE_INFINITY;
    if (one && takes.length > 0) return { takes, reports: [], solicits: [], bookmarks: [] };
    const most = one ? 1 : MAX_OTHERS;
    const reports: Report[] = [];
    for (const report of this.reports.values()) {
      if (reports.length >= most) break;
      // Reports about a message come after the message.
      if (!this.locked.has(report) && (this.takes.get(report.id)?.number ?? 0) <= upTo) reports.push(report);
    }
    if (one && reports.length > 0) return { takes, reports, solicits: [], bookmarks: [] };
    const solicits = [...this.solicits].slice(0, most);
    if (one && solicits.length > 0) return { takes, reports, solicits, bookmarks: [] };
    // A bookmark says that everything before it is safe.
    const bookmarks = [...this.bookmarks].slice(0, most).filter(([, { number }]) => number < upTo);
    return { takes, reports, solicits, bookmarks };
  }

  /** Removes what was written, unless there is a newer entry for it. The reports of `locked` must wait. */
  written({ takes, reports, solicits, bookmarks }: Batch, locked: ReadonlySet<string> = new Set()): void {
    for (const take of takes) this.takes.delete(take.message.id);
    for (const report of reports)
      if (this.reports.get(report.id) === report && !locked.has(report.key)) this.reports.delete(report.id);
    const waiting = [...this.locked, ...reports.filter(({ key }) => locked.has(key))];
    this.locked = new Set(waiting.filter((report) => this.reports.get(report.id) === report));
    for (const [runId, solicit] of solicits) {
      if (this.solicits.get(runId) !== solicit) continue;
      this.solicits.delete(runId);
      solicit.done.resolve();
    }
    for (const [name, bookmark] of bookmarks) if (this.bookmarks.get(name) === bookmark) this.bookmarks.delete(name);
  }

  /** The rows may be free again. */
  unlock(): void {
    this.locked = new Set();
  }
}
