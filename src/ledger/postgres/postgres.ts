import { type PostgresLedgerOptions, resolveOptions } from "./options.ts";
import type { PostgresLedger } from "./port.ts";
import { SharedLedger } from "./shared-ledger.ts";

export type { PostgresLedgerOptions } from "./options.ts";
export type {
  PostgresLedger,
  TransactionalHandler,
  TransactionContext,
} from "./port.ts";

/**
 * A ledger in Postgres, which any number of hosts may share. Make one for each inbox. It connects when the inbox does.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 * @example
 * const ledger = postgresLedger({ connectionString: process.env.DATABASE_URL });
 * const inbox = createInbox({ gateway, ledger, deliver });
 */
export function postgresLedger(options: PostgresLedgerOptions): PostgresLedger {
  return new SharedLedger(resolveOptions(options));
}
