import { existsSync } from "node:fs";
import { InboxError } from "../errors.ts";
import { systemClock } from "../kit/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { createLmdbLedger } from "../ledger/lmdb.ts";

/** The option of commands that look into a ledger. */
export const ledgerOption = { type: "string", value: "FILE", help: "the ledger of the inbox" } as const;

/**
 * Opens a ledger for a look, whether an inbox runs on it or not, and takes nothing from it.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when it is not there: opening would make it.
 */
export async function visitLedger<T>(file: string, look: (ledger: Ledger) => Promise<T>): Promise<T> {
  if (!existsSync(file)) throw new InboxError("ERR_INBOX_LEDGER", `There is no ledger ${file}`, { file });
  const ledger = createLmdbLedger(file);
  try {
    await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onClaimable() {} });
    return await look(ledger);
  } finally {
    await ledger.close();
  }
}
