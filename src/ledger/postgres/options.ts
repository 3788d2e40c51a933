import type { Pool } from "pg";
import { assertKnownKeys, optionError } from "../../errors.ts";
import { type Names, namesOf } from "./names.ts";

/** Options of {@link postgresLedger}: a `pool` or a `connectionString`. */
export interface PostgresLedgerOptions {
  /**
   * A pool of `pg`, which the caller ends after the inbox has stopped. The ledger keeps two of its connections, and
   * `transactional` takes one for each attempt. The best `max` is `concurrency` (16) plus 2, the least is 3.
   */
  readonly pool?: Pool;
  /**
   * The address of Postgres, as `postgres://user@host:5432/database`. The ledger makes its own pool of at most 18
   * connections.
   */
  readonly connectionString?: string;
  /**
   * The schema that holds the tables; created if needed. Inboxes with the same schema share the ledger. Default
   * `"openclaw_inbox"`.
   */
  readonly schema?: string;
  /** How long the ids of delivered messages are remembered, in ms, from 1. Default 86,400,000 (24 hours). */
  readonly retainMs?: number;
  /**
   * How long dead letters and their texts are kept for a person to retry or drop, in ms, from 1. Default 604,800,000 (7
   * days).
   */
  readonly retainDeadMs?: number;
}

/** The checked {@link PostgresLedgerOptions} with defaults. */
export interface Settings {
  readonly pool: Pool | undefined;
  readonly connectionString: string | undefined;
  readonly names: Names;
  readonly retainMs: number;
  readonly retainDeadMs: number;
}

const DEFAULT_SCHEMA = "openclaw_inbox";

/** Two for the ledger, one for a handler. */
const LEAST_CONNECTIONS = 3;

/** @throws {InboxError} `ERR_INBOX_OPTION` for the first option that is wrong. */
export function resolveOptions(options: PostgresLedgerOptions): Settings {
  if (typeof options !== "object" || options === null) throw optionError("options", "an object", options);
  assertKnownKeys("postgresLedger()", options, ["pool", "connectionString", "schema", "retainMs", "retainDeadMs"]);
  const {
    pool,
    connectionString,
    schema = DEFAULT_SCHEMA,
    retainMs = 86_400_000,
    retainDeadMs = 604_800_000,
  } = options;
  if ((pool === undefined) === (connectionString === undefined))
    throw optionError(
      "pool",
      "given, or else `connectionString`, and not both",
      pool === undefined ? "neither" : "both",
    );
  if (pool !== undefined && (typeof pool?.connect !== "function" || typeof pool.on !== "function"))
    throw optionError("pool", "a Pool of the package `pg`", pool);
  const max = pool?.options?.max;
  if (max !== undefined && max < LEAST_CONNECTIONS)
    throw optionError("pool.options.max", `an integer >= ${LEAST_CONNECTIONS}: the ledger keeps two connections`, max);
  // Not quoted, because it may hold a password.
  if (connectionString !== undefined && (typeof connectionString !== "string" || connectionString === ""))
    throw optionError("connectionString", "a text like `postgres://host/database`", typeof connectionString);
  for (const [name, value] of Object.entries({ retainMs, retainDeadMs }))
    if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, "an integer >= 1", value);
  return {
    pool,
    connectionString,
    names: namesOf(schema),
    retainMs,
    retainDeadMs,
  };
}
