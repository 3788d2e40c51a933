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
 * Remembers which messages were taken on, delivered, or are dead. Everything but `take` and the
 * reads is a report: it returns at once and is written when the ledger comes to it.
 */
export interface Ledger {
  /**
   * Takes a message on: one conditional write. True when its id was not known and is now recorded
   * as `taken` by this inbox; false when it was. A ledger that cannot write any more answers true
   * from memory and says so through `onAlarm`.
   */
  take(message: ProactiveMessage): boolean | Promise<boolean>;
  /** An attempt failed and another will follow. */
  attempted(id: string, attempts: number, error: string): void;
  /** The handler succeeded. The text is forgotten, the id is remembered for the retention time. */
  delivered(id: string, attempts: number): void;
  /** Delivery gave up. The message is kept until it is revived or dropped, or as long as this ledger keeps dead letters. */
  dead(id: string, attempts: number, error: string): void;
  /** Claims for this inbox what was `taken` and belongs to no living inbox, oldest first. Cheap when there is nothing: call it now and then. */
  claim(): Promise<readonly LedgerEntry[]>;
  /** The dead letters, oldest first. */
  deadLetters(): Promise<readonly LedgerEntry[]>;
  /**
   * Makes a dead letter `taken` again, by this inbox, with its attempts at 0; undefined when there is
   * no such dead letter. Whoever revives without delivering (a command line) closes its ledger: then
   * the next `claim` of a running inbox finds it.
   */
  revive(id: string): Promise<LedgerEntry | undefined>;
  /** Forgets the text of a dead letter; its id stays known. False when there is no such dead letter. */
  drop(id: string): Promise<boolean>;
  /** A small value kept for recovery, by name. */
  cursor(name: string): string | undefined;
  setCursor(name: string, value: string): void;
  /** Resolves when everything reported so far is as safe as this ledger makes it. Rejects with `ERR_INBOX_LEDGER` when it cannot be written. */
  flush(): Promise<void>;
  /** Flushes, gives up this inbox's claims and lets go of the file. Does not reject: what could not be written is told through `onAlarm`. */
  close(): Promise<void>;
}
