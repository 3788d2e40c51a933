import { assertKnownKeys, optionError } from "../../errors.ts";

/** Options of {@link createSqliteLedger}. */
export interface SqliteLedgerOptions {
  /** How long the ids of delivered messages are remembered, in ms, from 1. Default 86,400,000 (24 hours). */
  readonly retainMs?: number;
  /**
   * How long dead letters and their texts are kept for a person to retry or drop, in ms, from 1. A dropped one is
   * remembered for `retainMs`. Default 604,800,000 (7 days).
   */
  readonly retainDeadMs?: number;
  /**
   * The most ids that were delivered while the disk could not be written and are kept in memory, from 1. One more
   * evicts the oldest, whose message may then be delivered again. Default 100,000.
   */
  readonly maxUnsaved?: number;
}

const defaults = { retainMs: 86_400_000, retainDeadMs: 604_800_000, maxUnsaved: 100_000 } as const;

/** @throws {InboxError} `ERR_INBOX_OPTION` for the first option that is wrong. */
export function resolveSqliteOptions(options: SqliteLedgerOptions): Required<SqliteLedgerOptions> {
  assertKnownKeys("createSqliteLedger()", options, Object.keys(defaults));
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings = { ...defaults, ...given };
  for (const name of Object.keys(defaults) as (keyof typeof defaults)[]) {
    const value = settings[name];
    if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, "an integer >= 1", value);
  }
  return settings;
}
