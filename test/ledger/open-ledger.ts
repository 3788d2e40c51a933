import type { InboxError } from "../../src/errors.ts";
import { type Clock, systemClock } from "../../src/kit/clock.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { SqliteLedgerOptions } from "../../src/ledger/sqlite/options.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";

/** What a test wants of a ledger beside its options. */
interface OpenOptions extends SqliteLedgerOptions {
  readonly clock?: Clock;
  readonly onAlarm?: (error: InboxError | undefined) => void;
  readonly onDamage?: (error: InboxError, messages: number) => void;
  readonly onClaimable?: () => void;
}

/** A ledger on a file, open, for a test that is its host. */
export async function openLedger(file: string, options: OpenOptions = {}): Promise<Ledger> {
  const { clock = systemClock, onAlarm = () => {}, onDamage = () => {}, onClaimable = () => {}, ...rest } = options;
  const ledger = createSqliteLedger(file, rest);
  await ledger.open({ clock, ordering: "session", onAlarm, onDamage, onClaimable });
  return ledger;
}
