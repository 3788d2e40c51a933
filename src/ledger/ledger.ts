import type { InboxError } from "../errors.ts";
import type { Clock } from "../kit/clock.ts";
import type { ProactiveMessage } from "../types.ts";

/** Where a message stands. */
export type LedgerState = "taken" | "delivered" | "dead";

/** One message in the ledger. */
export interface LedgerEntry {
  readonly message: ProactiveMessage;
  readonly state: LedgerState;
  /** How many attempts have failed or succeeded so far. */
  readonly attempts: number;
  /** When `state` was reached, in ms since the epoch. */
  readonly at: number;
  /** The last attempt's error, as text. */
  readonly error?: string;
}

/**
 * What became of a message that was to be taken on:
 *
 * - `"taken"`: its id is new; it is recorded, and this inbox delivers it.
 * - `"known"`: its id was known.
 * - `"elsewhere"`: its id is new and it is recorded, but another living inbox still delivers earlier messages of its
 *   session. Whoever `claim`s it delivers it.
 * - `"solicited"`: a host that shares this ledger asked for its run, or has its text in another message. It is not recorded.
 */
export type TakeResult = "taken" | "known" | "elsewhere" | "solicited";

/** The inbox, as its ledger sees it. */
export interface LedgerHost {
  readonly clock: Clock;
  /** `"session"`: the messages of a session are delivered by one inbox at a time, in order. `"none"`: each for itself. */
  readonly ordering: "session" | "none";
  /**
   * The ledger is in trouble, with an `ERR_INBOX_LEDGER` that says which; or, with undefined, all that it was told is
   * safe again. Must not throw.
   */
  onAlarm(error: InboxError | undefined): void;
  /**
   * Something that was recorded cannot be read any more, so many messages among it, with an `ERR_INBOX_LEDGER` that names
   * them. What was told before and is told later is as safe as it was. Must not throw.
   */
  onDamage(error: InboxError, messages: number): void;
  /** There may be something to `claim`. Must not throw. */
  onClaimable(): void;
}

/** Which dead letters to list. */
export interface DeadLetterPage {
  /** How many at most, from 1. Default 100. */
  readonly limit?: number;
  /** The id of the last one of the page before. Default: from the first. */
  readonly after?: string;
}

/** How many dead letters a page has by default. */
export const DEAD_LETTERS_PAGE = 100;

/**
 * Remembers which messages were taken on, delivered, or are dead, for one inbox. Inboxes may share what is behind it (a
 * file, a database); each has a `Ledger` of its own.
 *
 * The undelivered messages of a session belong to one living inbox at a time, which delivers them in the order in which
 * they were recorded. What an inbox reports of a message that has gone over to another has no effect.
 */
export interface Ledger {
  /**
   * Connects, and makes or migrates what is needed. Called once, before anything else; calls that come before it has
   * resolved wait for it.
   *
   * @throws {InboxError} `ERR_INBOX_LEDGER` when it cannot be opened, with what to do.
   */
  open(host: LedgerHost): Promise<void>;
  /**
   * Takes a message on: one conditional write, which is safe when the answer comes. A ledger that cannot write any more
   * answers from memory and says so through `onAlarm`.
   */
  take(message: ProactiveMessage): TakeResult | Promise<TakeResult>;
  /**
   * Whether a message that was taken or claimed here is still this inbox's to deliver: it may have gone over to another
   * while this one could not be seen to live. Left out by ledgers where that cannot be.
   */
  holds?(id: string): boolean;
  /** Reports that an attempt failed and another will follow. Returns at once. */
  attempted(id: string, attempts: number, error: string): void;
  /** Reports that the handler succeeded. The text is forgotten, the id is remembered for the retention time. */
  delivered(id: string, attempts: number): void;
  /** Reports that delivery gave up. The message is kept until it is revived or dropped, or as long as this ledger keeps dead letters. */
  dead(id: string, attempts: number, error: string): void;
  /**
   * Claims undelivered messages that no living inbox delivers: what the dead and the stopped left, what was revived, and
   * what was recorded by others in sessions that are ours. At most `limit`; fewer than `limit` means that there are no
   * more. Within a session the oldest come first; give them to delivery in the turn in which this resolves, so that
   * none that is taken later overtakes them.
   */
  claim(limit: number): Promise<readonly LedgerEntry[]>;
  /** A page of the dead letters, in the order in which they were taken on. Empty when `after` is not known. */
  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]>;
  /** The dead letter of this id; undefined when there is none. */
  deadLetter(id: string): Promise<LedgerEntry | undefined>;
  /** Makes a dead letter `taken` again, by nobody, with its attempts at 0: a `claim` finds it. False when there is no such dead letter. */
  revive(id: string): Promise<boolean>;
  /** Forgets the text of a dead letter; its id stays known. False when there is no such dead letter. */
  drop(id: string): Promise<boolean>;
  /**
   * Remembers until `until` (in ms since the epoch) that a run is asked for, or was relocated, for all who share this
   * ledger. Resolves when they cannot miss it any more. Does not reject.
   */
  solicit(runId: string, until: number): void | Promise<void>;
  /** A small value kept for recovery, by name, for all who share this ledger. */
  cursor(name: string): Promise<string | undefined>;
  /** Keeps such a value. It is written after all that was taken before it. */
  setCursor(name: string, value: string): void;
  /** Resolves when everything reported so far is as safe as this ledger makes it. Rejects with `ERR_INBOX_LEDGER` when it cannot be written. */
  flush(): Promise<void>;
  /** Flushes, gives up this inbox's claims and lets go. Does not reject: what could not be written is told through `onAlarm`. */
  close(): Promise<void>;
}
