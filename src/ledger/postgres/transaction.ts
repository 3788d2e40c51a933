import type { PoolClient } from "pg";
import { InboxError } from "../../errors.ts";
import { systemClock } from "../../kit/clock.ts";
import { orAborted } from "../../kit/deadline.ts";
import { pause } from "../../kit/timer.ts";
import { keyOf } from "../sql/rows.ts";
import { destroy, giveBack } from "./check-out.ts";
import { guard, misuse } from "./guarded-client.ts";
import type { Names } from "./names.ts";
import { isConnectionLoss, sqlState } from "./trouble.ts";

/** One attempt to deliver a message in a transaction. */
export interface Attempt {
  readonly id: string;
  readonly attempt: number;
  readonly now: number;
  readonly signal: AbortSignal;
  /** The instance that delivers. */
  readonly owner: string;
  readonly names: Names;
  /** As `server_version_num`, e.g. 150020. */
  readonly serverVersion: number;
  /** A client of the pool. */
  readonly connect: () => Promise<PoolClient>;
  readonly handle: (client: PoolClient) => unknown;
}

/** What became of an attempt that did not fail: `"done"` now or, as the row says, by an earlier attempt; or the message is another inbox's. */
type Result = "done" | "lost";

/** A server that is gone is asked again so often. */
const LOOK_EVERY_MS = 100;

/** What the server does for as long as the transaction is open, so that the row is soon free when we are gone. */
function settingsFor(serverVersion: number): readonly string[] {
  return [
    // A host that lost its power is noticed within 11 seconds.
    "tcp_keepalives_idle = 5",
    "tcp_keepalives_interval = 2",
    "tcp_keepalives_count = 3",
    // A statement that goes on when its client is gone is ended.
    ...(serverVersion >= 140_000 ? ["client_connection_check_interval = '500ms'"] : []),
  ];
}

/**
 * Runs `handle` in a transaction that marks the message as delivered: both are committed, or neither. Resolves once the
 * server has committed.
 */
export async function runInTransaction(options: Attempt): Promise<Result> {
  const { signal } = options;
  signal.throwIfAborted();
  const client = await take(options);
  let isUsable = false;
  try {
    const began = await orAborted(begin(client, options), signal);
    if (began === undefined) {
      await orAborted(client.query("rollback"), signal);
      const result = await orAborted(look(client, options), signal);
      isUsable = true;
      if (result === "taken") throw new InboxError("ERR_INBOX_LEDGER", "The message is not recorded yet");
      return result;
    }
    const guarded = guard(client);
    try {
      await orAborted(invoke(options, guarded.client), signal);
      if (guarded.running > 0)
        throw misuse(
          `The handler returned while ${guarded.running} of its queries were still running: await each of them`,
        );
    } catch (error) {
      guarded.revoke();
      // While a query runs, a rollback would wait for it.
      if (!signal.aborted && guarded.running === 0) {
        await orAborted(client.query("rollback"), signal);
        isUsable = true;
      }
      throw error;
    }
    guarded.revoke();
    try {
      await commit(client, began);
      isUsable = true;
      return "done";
    } catch (error) {
      isUsable = !isConnectionLoss(error);
      if (isUsable) throw error;
      return await lookAgain(options, error);
    }
  } finally {
    if (isUsable) giveBack(client);
    else destroy(client);
  }
}

/** A client, also when the signal is aborted before there is one: then it is given back. */
async function take({ connect, signal }: Attempt): Promise<PoolClient> {
  const connecting = connect();
  try {
    return await orAborted(connecting, signal);
  } catch (error) {
    connecting.then(
      (client) => giveBack(client),
      () => {},
    );
    throw error;
  }
}

async function invoke({ handle }: Attempt, client: PoolClient): Promise<void> {
  await handle(client);
}

/** Begins, and marks the message. The id of the transaction; undefined when the message is not ours to deliver. */
async function begin(
  client: PoolClient,
  { id, attempt, now, owner, names, serverVersion }: Attempt,
): Promise<string | undefined> {
  const literal = (text: string) => client.escapeLiteral(text);
  // In one round trip. With the row locked, nobody else delivers the message as long as the transaction is open.
  const results: unknown = await client.query(
    `begin; ${settingsFor(serverVersion)
      .map((setting) => `set local ${setting};`)
      .join(" ")}
    update ${names.prefix}messages set state = 'delivered', attempts = ${Number(attempt)}, changed_at = ${Number(now)}, error = null, body = null
    where id = ${literal(keyOf(id))} and owner = ${literal(owner)} and state = 'taken' returning txid_current()::text as transaction`,
  );
  const last = (
    results as readonly {
      readonly rows: readonly { readonly transaction?: string }[];
    }[]
  ).at(-1);
  return last?.rows[0]?.transaction;
}

async function commit(client: PoolClient, began: string): Promise<void> {
  try {
    // Nothing is committed when the transaction is no longer the one that marked the message.
    await client.query(
      `select 1 / (case when txid_current_if_assigned()::text = '${began}' then 1 else 0 end); commit`,
    );
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    await client.query("rollback");
    if (sqlState(error) === "25P02")
      throw misuse(
        "One of the handler's queries failed, and the handler returned as if it had not: nothing was written. Let its error through, or use a savepoint",
      );
    if (sqlState(error) === "22012") throw misuse("The handler ended the ledger's transaction");
    throw error;
  }
}

/** The connection broke at the commit: was it done? The row says, once no transaction holds it any more. */
async function lookAgain(options: Attempt, error: unknown): Promise<Result> {
  const { signal } = options;
  for (;;) {
    signal.throwIfAborted();
    let client: PoolClient | undefined;
    try {
      client = await take(options);
      const result = await orAborted(look(client, options), signal);
      giveBack(client);
      if (result === "taken") throw error;
      return result;
    } catch (problem) {
      if (problem === error || !isConnectionLoss(problem)) throw problem;
      if (client !== undefined) destroy(client);
      await pause(systemClock, LOOK_EVERY_MS, signal);
    }
  }
}

/** What the row says. Waits for a transaction that holds it. */
async function look(client: PoolClient, { id, owner, names }: Attempt): Promise<Result | "taken"> {
  const { rows } = await client.query(`select state, owner from ${names.prefix}messages where id = $1 for share`, [
    keyOf(id),
  ]);
  const row = rows[0] as { readonly state: string; readonly owner: string } | undefined;
  if (row?.owner !== owner) return "lost";
  return row.state === "delivered" ? "done" : row.state === "taken" ? "taken" : "lost";
}
