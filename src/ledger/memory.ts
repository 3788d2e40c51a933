import { assertKnownKeys, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import type { ProactiveMessage } from "../types.ts";
import { DEAD_LETTERS_PAGE, type Ledger, type LedgerEntry, type LedgerHost } from "./ledger.ts";

/** Options of {@link createMemoryLedger}. */
export interface MemoryLedgerOptions {
  /**
   * How long ids of delivered messages and dead letters are remembered, in ms, from 1. Default 86,400,000 (24 hours).
   */
  readonly retainMs?: number;
  /**
   * The most ids of delivered messages, the most dead letters, and the most solicited runs, from 1. One more evicts the
   * oldest. Default 100,000.
   */
  readonly maxEntries?: number;
  /**
   * The most text of dead letters, in bytes of memory (two per character), from 1. Beyond it the oldest are evicted.
   * Default 268,435,456.
   */
  readonly maxTextBytes?: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/**
 * A ledger that lasts as long as the process. A crash loses everything in it.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function createMemoryLedger(options: MemoryLedgerOptions = {}): Ledger {
  assertKnownKeys("createMemoryLedger()", options, ["retainMs", "maxEntries", "maxTextBytes", "clock"]);
  const { retainMs = 86_400_000, maxEntries = 100_000, maxTextBytes = 268_435_456, clock = systemClock } = options;
  for (const [name, value] of Object.entries({ retainMs, maxEntries, maxTextBytes })) {
    if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, "an integer >= 1", value);
  }
  const taken = new Map<string, LedgerEntry>();
  const revived = new Map<string, LedgerEntry>();
  const delivered = new ExpiringMap<true>({ windowMs: retainMs, maxKeys: maxEntries, clock });
  const dead = new ExpiringMap<LedgerEntry>({
    windowMs: retainMs,
    maxKeys: maxEntries,
    maxSize: maxTextBytes,
    sizeOf: ({ message }) => message.text.length * 2,
    clock,
  });
  const cursors = new Map<string, string>();
  /** Until when each run is known to be asked for, in ms since the epoch, in the order of asking. */
  const solicited = new Map<string, number>();
  let host: LedgerHost | undefined;

  const entryOf = (message: ProactiveMessage): LedgerEntry => ({
    message,
    state: "taken",
    attempts: 0,
    at: clock.now(),
  });

  return {
    async open(opened) {
      host = opened;
    },
    take(message) {
      const { id, runId } = message;
      if (taken.has(id) || delivered.get(id) !== undefined || dead.get(id) !== undefined) return "known";
      if ((solicited.get(runId) ?? 0) > clock.now()) return "solicited";
      taken.set(id, entryOf(message));
      return "taken";
    },
    attempted(id, attempts, error) {
      const entry = taken.get(id);
      if (entry !== undefined) taken.set(id, { ...entry, attempts, error });
    },
    delivered(id) {
      if (taken.delete(id)) delivered.set(id, true);
    },
    dead(id, attempts, error) {
      const entry = taken.get(id);
      if (entry === undefined) return;
      taken.delete(id);
      dead.set(id, { message: entry.message, state: "dead", attempts, error, at: clock.now() });
    },
    // Only revived messages. Every other taken message is being delivered by this process.
    async claim(limit) {
      const claimed = [...revived.values()].slice(0, limit);
      for (const { message } of claimed) revived.delete(message.id);
      return claimed;
    },
    async deadLetters({ limit = DEAD_LETTERS_PAGE, after } = {}) {
      const page: LedgerEntry[] = [];
      let isPast = after === undefined;
      // Not by a list of all, because there may be a hundred thousand.
      for (const letter of dead.values()) {
        if (page.length >= limit) break;
        if (isPast) page.push(letter);
        else isPast = letter.message.id === after;
      }
      return page;
    },
    deadLetter: async (id) => dead.get(id),
    async revive(id) {
      const letter = dead.get(id);
      if (letter === undefined) return false;
      dead.delete(id);
      const entry = entryOf(letter.message);
      taken.set(id, entry);
      revived.set(id, entry);
      host?.onClaimable();
      return true;
    },
    async drop(id) {
      if (dead.get(id) === undefined) return false;
      dead.delete(id);
      delivered.set(id, true);
      return true;
    },
    solicit(runId, until) {
      solicited.delete(runId);
      solicited.set(runId, until);
      for (const [oldest, end] of solicited) {
        if (end > clock.now() && solicited.size <= maxEntries) break;
        solicited.delete(oldest);
      }
    },
    cursor: async (name) => cursors.get(name),
    setCursor(name, value) {
      cursors.set(name, value);
    },
    async flush() {},
    async close() {
      for (const map of [taken, revived, delivered, dead, cursors, solicited]) map.clear();
    },
  };
}
