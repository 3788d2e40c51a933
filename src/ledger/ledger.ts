import type { InboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import type { ProactiveMessage } from "../types.ts";

/** The state of a message. */
export type LedgerState = "taken" | "delivered" | "dead";

/** One message in the ledger. */
export interface LedgerEntry {
  readonly message: ProactiveMessage;
  readonly state: LedgerState;
  /** How many attempts have ended so far. */
  readonly attempts: number;
  /** When `state` was reached, in ms since the epoch. */
  readonly at: number;
  /** The last attempt's error as text. */
  readonly error?: string;
}

/**
 * The answer of `take`:
 *
 * - `"taken"`: its id was not known. It is recorded, and this inbox delivers it.
 * - `"known"`: its id was known.
 * - `"elsewhere"`: its id was not known and it is recorded, but another living inbox still delivers earlier messages of
 *   its session. The inbox that claims it delivers it.
 * - `"solicited"`: a host that shares this ledger asked for its run, or has its text in another message. It is not
 *   recorded.
 */
export type TakeResult = "taken" | "known" | "elsewhere" | "solicited";

/** What a ledger knows of its inbox. */
export interface LedgerHost {
  readonly clock: Clock;
  /**
   * `"session"`: one inbox at a time delivers the messages of a session, in order. `"none"`: every message is
   * independent.
   */
  readonly ordering: "session" | "none";
  /**
   * The ledger has a problem; the `ERR_INBOX_LEDGER` says which. With undefined, everything reported is safe again.
   * Must not throw.
   */
  onAlarm(error: InboxError | undefined): void;
  /**
   * Recorded data cannot be read; `messages` of it are messages, and the `ERR_INBOX_LEDGER` names them. Other reports
   * stay safe. Must not throw.
   */
  onDamage(error: InboxError, messages: number): void;
  /** There may be messages to `claim`. Must not throw. */
  onClaimable(): void;
}

/** Which dead letters to list. */
export interface DeadLetterPage {
  /** The most entries, from 1. Default 100. */
  readonly limit?: number;
  /** The id of the last one on the page before. Default: from the first. */
  readonly after?: string;
  /**
   * Those that were taken last come first.
   *
   * @default false
   */
  readonly newestFirst?: boolean;
}

/** How many dead letters a page has by default. */
export const DEAD_LETTERS_PAGE = 100;

/**
 * Remembers for one inbox which messages are taken, delivered, or dead. Inboxes may share the store behind it (a file,
 * a database); each has its own `Ledger`.
 *
 * The undelivered messages of a session belong to one living inbox at a time, which delivers them in the order in which
 * they were recorded. When another inbox has taken a message over, reports of the first have no effect.
 */
export interface Ledger {
  /**
   * Connects, and creates or migrates the store. Called once, before everything else. Calls that come before it has
   * resolved wait for it.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when it cannot be opened. The error says what to do.
   */
  open(host: LedgerHost): Promise<void>;
  /**
   * Records a message if its id is not known, by one conditional write. The record is safe when the answer comes. A
   * ledger that cannot write answers from memory and reports that by `onAlarm`.
   */
  take(message: ProactiveMessage): TakeResult | Promise<TakeResult>;
  /**
   * Whether this inbox still has the lease of a message that it took or claimed. Another inbox may have taken it over
   * while this one seemed dead. Absent in ledgers where that cannot happen.
   */
  holds?(id: string): boolean;
  /** Reports that an attempt failed and another will follow. Returns at once. */
  attempted(id: string, attempts: number, error: string): void;
  /** Reports that the handler succeeded. The text is deleted, and the id is remembered for the retention time. */
  delivered(id: string, attempts: number): void;
  /**
   * Reports that delivery gave up. The message is kept until it is revived or dropped, or as long as this ledger keeps
   * dead letters.
   */
  dead(id: string, attempts: number, error: string): void;
  /**
   * Claims at most `limit` undelivered messages that belong to no living inbox. Those are: messages of dead and stopped
   * inboxes, revived messages, and messages that others recorded in our sessions. Fewer than `limit` means that there
   * are no more. Within a session the oldest come first. Give them to delivery in the turn in which this resolves, so
   * that none that is taken later overtakes them.
   */
  claim(limit: number): Promise<readonly LedgerEntry[]>;
  /**
   * A page of the dead letters, in the order in which they were taken, or the other way round. `after` may have been
   * revived or dropped since. Empty when it is not known.
   */
  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]>;
  /** The dead letter with this id; undefined when there is none. */
  deadLetter(id: string): Promise<LedgerEntry | undefined>;
  /**
   * Makes a dead letter `taken` again, without an owner and with 0 attempts, so that `claim` finds it. Resolves to
   * false when there is no such dead letter.
   */
  revive(id: string): Promise<boolean>;
  /** Deletes the text of a dead letter; its id stays known. Resolves to false when there is no such dead letter. */
  drop(id: string): Promise<boolean>;
  /**
   * Remembers until `until` (in ms since the epoch) that a run was asked for, or was relocated. Resolves when every
   * inbox that shares this ledger knows it. Does not reject.
   */
  solicit(runId: string, until: number): void | Promise<void>;
  /** A small value, stored by name for recovery. All inboxes that share this ledger share it. */
  cursor(name: string): Promise<string | undefined>;
  /** Stores such a value. It is written after everything that was taken before. */
  setCursor(name: string, value: string): void;
  /**
   * Resolves when everything reported so far is as safe as this ledger makes it. Rejects with `ERR_INBOX_LEDGER` when
   * it cannot be written.
   */
  flush(): Promise<void>;
  /**
   * Flushes, gives up this inbox's leases, and closes the store. Does not reject: a failed write is reported by
   * `onAlarm`.
   */
  close(): Promise<void>;
}
