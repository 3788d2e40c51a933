import { assertKnownKeys, optionError } from "../errors.ts";
import { BriefMap } from "../kit/brief-map.ts";
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

/** An entry, and its place in the order in which messages were taken. */
interface Numbered extends LedgerEntry {
  readonly position: number;
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
  const taken = new BriefMap<string, Numbered>();
  const revived = new Map<string, Numbered>();
  /** The position of each. */
  const delivered = new ExpiringMap<number>({ windowMs: retainMs, maxKeys: maxEntries, clock });
  const dead = new ExpiringMap<Numbered>({
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
  let positions = 0;

  const entryOf = (message: ProactiveMessage, position: number): Numbered => ({
    message,
    state: "taken",
    attempts: 0,
    at: clock.now(),
    position,
  });

  const positionOf = (id: string): number | undefined =>
    dead.get(id)?.position ?? taken.get(id)?.position ?? delivered.get(id);

  return {
    async open(opened) {
      host = opened;
    },
    take(message) {
      const { id, runId } = message;
      if (taken.has(id) || delivered.get(id) !== undefined || dead.get(id) !== undefined) return "known";
      if ((solicited.get(runId) ?? 0) > clock.now()) return "solicited";
      positions += 1;
      taken.set(id, entryOf(message, positions));
      return "taken";
    },
    attempted(id, attempts, error) {
      const entry = taken.get(id);
      if (entry !== undefined) taken.set(id, { ...entry, attempts, error });
    },
    delivered(id) {
      const entry = taken.get(id);
      if (entry === undefined) return;
      taken.delete(id);
      delivered.set(id, entry.position);
    },
    dead(id, attempts, error) {
      const entry = taken.get(id);
      if (entry === undefined) return;
      taken.delete(id);
      const { message, position } = entry;
      dead.set(id, { message, state: "dead", attempts, error, at: clock.now(), position });
    },
    // Only revived messages. Every other taken message is being delivered by this process.
    async claim(limit) {
      const claimed = [...revived.values()].slice(0, limit);
      for (const { message } of claimed) revived.delete(message.id);
      return claimed.map(toEntry);
    },
    async deadLetters({ limit = DEAD_LETTERS_PAGE, after, newestFirst = false } = {}) {
      const from = after === undefined ? undefined : positionOf(after);
      if (after !== undefined && from === undefined) return [];
      return pageOf(dead.values(), limit, from, newestFirst ? -1 : 1).map(toEntry);
    },
    async deadLetter(id) {
      const letter = dead.get(id);
      return letter === undefined ? undefined : toEntry(letter);
    },
    async revive(id) {
      const letter = dead.get(id);
      if (letter === undefined) return false;
      dead.delete(id);
      const entry = entryOf(letter.message, letter.position);
      taken.set(id, entry);
      revived.set(id, entry);
      host?.onClaimable();
      return true;
    },
    async drop(id) {
      const letter = dead.get(id);
      if (letter === undefined) return false;
      dead.delete(id);
      delivered.set(id, letter.position);
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

/** The first `limit` letters after the position `from` in a direction. One may have died after those taken later. */
function pageOf(letters: Iterable<Numbered>, limit: number, from: number | undefined, direction: 1 | -1) {
  const page: Numbered[] = [];
  const sort = () => {
    page.sort((first, other) => (first.position - other.position) * direction);
    page.length = Math.min(page.length, limit);
  };
  for (const letter of letters) {
    if (from !== undefined && (letter.position - from) * direction <= 0) continue;
    page.push(letter);
    // Not a list of all, because there may be a hundred thousand.
    if (page.length >= 2 * limit + 64) sort();
  }
  sort();
  return page;
}

function toEntry({ position: _, ...entry }: Numbered): LedgerEntry {
  return entry;
}
