import type { PoolClient } from "pg";
import { InboxError } from "../../errors.ts";
import { pooledError } from "./pooled-error.ts";
import { sqlState } from "./trouble.ts";

/** How many times a pooler is tested for. */
const TRIES = 5;

/**
 * Resolves with the process id of `life`'s server process.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when a pooler between us and the server switches connections.
 */
export async function assertSessionMode(life: PoolClient, other: PoolClient): Promise<number> {
  const pid = await pidOf(life);
  // A pooler sends a made-up number when a client connects.
  if ((life as unknown as { readonly processID?: number | null }).processID === pid) return pid;
  for (let left = TRIES; left > 0; left -= 1) {
    // During a transaction the other client has a connection to itself. Test whether it is the one that was ours.
    try {
      await other.query("begin");
    } catch (error) {
      if (sqlState(error) === "08P01") throw pooledError();
      throw error;
    }
    const others = await pidOf(other);
    const again = await pidOf(life);
    await other.query("rollback");
    if (others === pid || again !== pid) throw pooledError();
  }
  return pid;
}

async function pidOf(client: PoolClient): Promise<number> {
  const { rows } = await client.query("select pg_backend_pid() as pid");
  return Number(rows[0]?.pid);
}

/**
 * Resolves with the server's version as a number, e.g. 150020. Sets what the ledger's connections need, whatever the
 * defaults of the role and the database are.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when the database cannot hold every text.
 */
export async function prepareSession(client: PoolClient): Promise<number> {
  const { rows } = await client.query(
    `select current_setting('server_encoding') as encoding, current_setting('server_version_num') as version, set_config(s.name, w.value, false)
    from (values
      -- A statement of a function must see what was committed while it waited for a lock.
      ('default_transaction_isolation', 'read committed'),
      -- What is answered is on disk.
      ('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end),
      ('idle_session_timeout', '0'), ('statement_timeout', '0'), ('lock_timeout', '0'),
      ('standard_conforming_strings', 'on'),
      -- Of tables that come and go the planner knows no sizes: without these it sorts a million rows to forget the oldest 500.
      ('enable_bitmapscan', 'off'), ('enable_seqscan', 'off'),
      -- A host that lost its power is noticed within 11 seconds.
      ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3')
    ) w(name, value) join pg_settings s on s.name = w.name`,
  );
  const encoding = String(rows[0]?.encoding);
  if (encoding === "UTF8") return Number(rows[0]?.version);
  throw new InboxError(
    "ERR_INBOX_LEDGER",
    `The database's encoding is ${encoding}, which cannot hold every text: make one with \`create database … encoding 'UTF8' template template0\``,
    { reason: "encoding", encoding },
  );
}
