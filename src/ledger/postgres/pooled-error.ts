import { InboxError } from "../../errors.ts";

/** The error for connections that do not stay the same. */
export function pooledError(): InboxError {
  return new InboxError(
    "ERR_INBOX_LEDGER",
    "The database is reached through a pooler that gives each transaction another connection (PgBouncer with `pool_mode = transaction` or `statement`). The ledger needs connections that stay the same: connect to Postgres directly, or to a pooler in session mode",
    { reason: "pooler" },
  );
}
