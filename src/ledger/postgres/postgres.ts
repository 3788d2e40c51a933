import { type PostgresLedgerOptions, resolveOptions } from "./options.ts";
import { PostgresLedger } from "./postgres-ledger.ts";

export type { PostgresLedgerOptions } from "./options.ts";
export type { PostgresLedger, TransactionContext } from "./postgres-ledger.ts";

/**
 * A ledger in Postgres, which any number of hosts may share. One for each inbox; nothing connects before the inbox does.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 * @example
 * const ledger = postgresLedger({ connectionString: process.env.DATABASE_URL });
 * const inbox = createInbox({ gateway, ledger, deliver });
 */
export function postgresLedger(options: PostgresLedgerOptions): PostgresLedger {
  return new PostgresLedger(resolveOptions(options));
}
