import type { PoolClient } from "pg";
import { InboxError } from "../../errors.ts";
import { schema } from "../sql/schema.ts";
import { functions, ownerIndex } from "./functions.ts";
import type { Names } from "./names.ts";

/** What each version adds to the one before. The first creates everything. */
const migrations: readonly ((names: Names) => readonly string[])[] = [
  (names) => [
    ...schema({
      prefix: names.prefix,
      integer: "bigint",
      counter: "bigint generated always as identity primary key",
      // `jsonb` cannot hold `\u0000`.
      json: "json",
    }).filter((statement) => !statement.startsWith("create index messages_by_owner")),
    ownerIndex(names),
    ...functions(names),
  ],
];

/**
 * Creates or upgrades the schema in one transaction. If several hosts do this at once, one does it and the others wait.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when the schema has a newer version than this package knows.
 */
export async function migrate(client: PoolClient, names: Names, upTo = migrations.length): Promise<void> {
  if ((await versionOf(client, names)) === upTo) return;
  await client.query("begin");
  try {
    await client.query(`select pg_advisory_xact_lock(${names.schemaKey}, 0)`);
    const version = await versionOf(client, names);
    if (version > upTo) throw newerError(names, version, upTo);
    // `if not exists` would need the right to create schemas even if there is one.
    if (!(await hasSchema(client, names))) await client.query(`create schema ${names.quoted}`);
    if (version === 0) await client.query(`create table ${names.prefix}version (version integer not null)`);
    for (const migration of migrations.slice(version, upTo))
      for (const statement of migration(names)) await client.query(statement);
    await client.query(`delete from ${names.prefix}version`);
    await client.query(`insert into ${names.prefix}version (version) values (${upTo})`);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

/** The version of the schema, or 0 when there is none. */
export async function versionOf(client: PoolClient, { schema, prefix }: Names): Promise<number> {
  // A query of the catalog, because `to_regclass` may answer from before we waited for the lock.
  const { rowCount } = await client.query(
    "select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = 'version'",
    [schema],
  );
  if (rowCount === 0) return 0;
  const { rows } = await client.query(`select version from ${prefix}version`);
  return Number(rows[0]?.version ?? 0);
}

async function hasSchema(client: PoolClient, { schema }: Names): Promise<boolean> {
  const { rowCount } = await client.query("select from pg_namespace where nspname = $1", [schema]);
  return rowCount === 1;
}

function newerError({ schema }: Names, found: number, known: number): InboxError {
  return new InboxError(
    "ERR_INBOX_LEDGER",
    `The schema \`${schema}\` is of version ${found}, made by a newer openclaw-inbox; this one knows versions up to ${known}. Update openclaw-inbox on this host`,
    { schema, found, known },
  );
}
