import { assertKnownKeys, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { ExpiringMap } from "../kit/expiring-map.ts";
import type { ProactiveMessage } from "../types.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";

/** Options of {@link createMemoryLedger}. */
export interface MemoryLedgerOptions {
  /** How long delivered and dead ids are remembered, in ms, from 1. Default 86,400,000 (24 hours). */
  readonly retainMs?: number;
  /** How many delivered ids, and how many dead letters, are remembered at most, from 1; one more forgets the oldest. Default 100,000. */
  readonly maxEntries?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * A ledger that lasts as long as the process. Nothing in it survives a crash.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function createMemoryLedger(options: MemoryLedgerOptions = {}): Ledger {
  const { retainMs = 86_400_000, maxEntries = 100_000, clock = systemClock } = options;
  assertKnownKeys("createMemoryLedger()", options, ["retainMs", "maxEntries", "clock"]);
  for (const [name, value] of Object.entries({ retainMs, maxEntries })) {
    if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, "an integer >= 1", value);
  }
  const taken = new Map<string, LedgerEntry>();
  const delivered = new ExpiringMap<true>({ windowMs: retainMs, maxKeys: maxEntries, clock });
  const dead = new ExpiringMap<LedgerEntry>({ windowMs: retainMs, maxKeys: maxEntries, clock });
  const cursors = new Map<string, string>();

  const entryOf = (message: ProactiveMessage): LedgerEntry => ({
    message,
    state: "taken",
    attempts: 0,
    at: clock.now(),
  });

  return {
    take(message) {
      const { id } = message;
      if (taken.has(id) || delivered.get(id) !== undefined || dead.get(id) !== undefined) return false;
      taken.set(id, entryOf(message));
      return true;
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
    // Whatever is taken here belongs to this very process.
    claim: async () => [],
    deadLetters: async () => dead.values(),
    async revive(id) {
      const letter = dead.get(id);
      if (letter === undefined) return undefined;
      dead.delete(id);
      const entry = entryOf(letter.message);
      taken.set(id, entry);
      return entry;
    },
    async drop(id) {
      if (dead.get(id) === undefined) return false;
      dead.delete(id);
      delivered.set(id, true);
      return true;
    },
    cursor: (name) => cursors.get(name),
    setCursor(name, value) {
      cursors.set(name, value);
    },
    async flush() {},
    async close() {
      taken.clear();
      delivered.clear();
      dead.clear();
      cursors.clear();
    },
  };
}
