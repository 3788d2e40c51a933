/**
 * The tables, the same for every SQL engine. Times are ms since the epoch. `docs/ledger.md` tells what each column holds.
 *
 * Whose a message is: `owner` is the instance that delivers it, or the empty string while nobody does. A session's messages
 * share a `lane`, which belongs to whoever owns any of its undelivered messages.
 */

/** Raised when an older version could no longer work with the tables that this one makes. */
export const SCHEMA_VERSION = 1;

/** Where engines differ in how tables are made. */
export interface SchemaDialect {
  /** Put before each table's name, e.g. `"openclaw_inbox".`; may be empty. */
  readonly prefix: string;
  /** The type of a time or a count that needs more than 32 bits. */
  readonly integer: string;
  /** The type and constraint of a column that counts up by itself and is never used twice. */
  readonly counter: string;
  /** The type of a JSON document. It must keep `\u0000` and lone surrogates, where they are escaped. */
  readonly json: string;
}

/** What makes the tables, statement by statement. Run it in one transaction. */
export function schema({ prefix, integer, counter, json }: SchemaDialect): readonly string[] {
  return [
    `create table ${prefix}messages (
  position ${counter},
  id text not null unique,
  gateway text not null,
  session_key text not null,
  lane text not null,
  run_id text not null,
  state text not null check (state in ('taken', 'delivered', 'dead')),
  owner text not null,
  attempts ${integer} not null default 0,
  error text,
  taken_at ${integer} not null,
  changed_at ${integer} not null,
  body ${json},
  checksum ${integer}
)`,
    // Each is only as large as what it is for: what is undelivered, unowned, dead, or waits to be forgotten.
    `create index messages_by_lane on ${prefix}messages (lane, owner) where state = 'taken'`,
    `create index messages_by_owner on ${prefix}messages (owner, position) where state = 'taken'`,
    `create index messages_dead on ${prefix}messages (position) where state = 'dead'`,
    `create index messages_settled on ${prefix}messages (state, changed_at) where state <> 'taken'`,
    `create table ${prefix}instances (
  id text not null primary key,
  started_at ${integer} not null,
  about text not null
)`,
    `create table ${prefix}bookmarks (
  name text not null primary key,
  value text not null,
  changed_at ${integer} not null
)`,
    `create table ${prefix}solicited (
  run_id text not null primary key,
  until ${integer} not null
)`,
  ];
}
