import { assertKnownKeys, type InboxError, optionError } from "../errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";

/** Options of {@link createLmdbLedger}. */
export interface LmdbLedgerOptions {
  /** How long delivered ids are remembered, in ms, from 1. Default 86,400,000 (24 hours). */
  readonly retainMs?: number;
  /**
   * How long dead letters are kept, with their text, for a person to retry or drop, in ms, from 1.
   * One that was dropped is remembered for `retainMs`. Default 604,800,000 (7 days).
   */
  readonly retainDeadMs?: number;
  /**
   * Where the process table cannot tell whether a holder lives (another container, another boot,
   * systems without `/proc`), it is taken for dead when it has not been heard of for so long, in
   * ms, from 1,000; it makes itself heard four times as often. Default 60,000.
   */
  readonly leaseMs?: number;
  /**
   * How many ids that were delivered while the disk refused them are kept in memory, from 1. One
   * more forgets the oldest, whose message may then be handed over again. Default 100,000.
   */
  readonly maxUnsaved?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
  /**
   * Called once when the ledger can no longer write, with the `ERR_INBOX_LEDGER` that says why; and
   * once with undefined when everything is on disk again. Also called with an error when entries
   * cannot be read or, at `close`, could not be written. Must not throw.
   */
  readonly onAlarm?: (error: InboxError | undefined) => void;
}

const defaults = {
  retainMs: 86_400_000,
  retainDeadMs: 604_800_000,
  leaseMs: 60_000,
  maxUnsaved: 100_000,
  clock: systemClock,
} as const;
/** {@link LmdbLedgerOptions}, checked and filled in. */
export type Settings = Required<Omit<LmdbLedgerOptions, "onAlarm">> & Pick<LmdbLedgerOptions, "onAlarm">;

/** @throws {InboxError} `ERR_INBOX_OPTION` for the first option that is wrong. */
export function resolveLmdbOptions(options: LmdbLedgerOptions): Settings {
  assertKnownKeys("createLmdbLedger()", options, [...Object.keys(defaults), "onAlarm"]);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...defaults, ...given };
  const least = { retainMs: 1, retainDeadMs: 1, leaseMs: 1_000, maxUnsaved: 1 } as const;
  for (const [name, from] of Object.entries(least)) {
    const value = settings[name as keyof typeof least];
    if (!Number.isSafeInteger(value) || value < from) throw optionError(name, `an integer >= ${from}`, value);
  }
  return settings;
}
