/**
 * The tables, the same for every SQL engine. Times are in ms since the epoch. `docs/ledger.md` explains each column.
 *
 * `owner` is the instance that delivers a message, or the empty string when there is none. A session's messages share a
 * `lane`. The lane belongs to the instance that owns any of its undelivered messages.
 */

/** Increased when an older version could not work with the tables of this one. */
export const SCHEMA_VERSION = 1;

/** How engines differ in creating tables. */
export interface SchemaDialect {
  /** Put before each table's name, e.g. `"openclaw_inbox".`; may be empty. */
  readonly prefix: string;
  /** The type of a time or a count that needs more than 32 bits. */
  readonly integer: string;
  /** The type and constraint of a column that counts up and never uses a number twice. */
  readonly counter: string;
  /** The type of a JSON document. It must keep escaped `\u0000` and escaped lone surrogates. */
  readonly json: string;
}

/** The statements that create the tables. Run them in one transaction. */
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
    // Each index holds only the rows it is for: undelivered, without an owner, dead, or waiting to be pruned.
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
