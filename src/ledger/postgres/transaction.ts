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
  /** The instance that delivers the message. */
  readonly owner: string;
  readonly names: Names;
  /** As `server_version_num`, e.g. 150020. */
  readonly serverVersion: number;
  /** Resolves with a client of the pool. */
  readonly connect: () => Promise<PoolClient>;
  readonly handle: (client: PoolClient) => unknown;
}

/**
 * The result of an attempt that did not fail. `"done"`: by this attempt, or by an earlier one according to the row.
 * `"lost"`: the message belongs to another inbox.
 */
type Result = "done" | "lost";

/** How often a server that is gone is asked again, in ms. */
const LOOK_EVERY_MS = 100;

/** Settings for the open transaction, so that the row is free soon after we are gone. */
function settingsFor(serverVersion: number): readonly string[] {
  return [
    // The server notices within 11 seconds that a host has lost its power.
    "tcp_keepalives_idle = 5",
    "tcp_keepalives_interval = 2",
    "tcp_keepalives_count = 3",
    // A statement is ended when its client is gone.
    ...(serverVersion >= 140_000 ? ["client_connection_check_interval = '500ms'"] : []),
  ];
}

/**
 * Runs `handle` in a transaction that marks the message as delivered. Both are committed, or neither. Resolves when the
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

/** Resolves with a client. If the signal is aborted first, the client is returned to the pool. */
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

/**
 * Begins the transaction and marks the message. Resolves with the transaction's id, or undefined when the message
 * belongs to another inbox.
 */
async function begin(
  client: PoolClient,
  { id, attempt, now, owner, names, serverVersion }: Attempt,
): Promise<string | undefined> {
  const literal = (text: string) => client.escapeLiteral(text);
  // In one round trip. While the row is locked, nobody else can deliver the message.
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
    // Commits nothing when the current transaction is not the one that marked the message.
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

/**
 * The connection broke at the commit. Waits until no transaction holds the row, which then shows whether the commit was
 * done.
 */
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

/** The result according to the row. Waits for a transaction that holds it. */
async function look(client: PoolClient, { id, owner, names }: Attempt): Promise<Result | "taken"> {
  const { rows } = await client.query(`select state, owner from ${names.prefix}messages where id = $1 for share`, [
    keyOf(id),
  ]);
  const row = rows[0] as { readonly state: string; readonly owner: string } | undefined;
  if (row?.owner !== owner) return "lost";
  return row.state === "delivered" ? "done" : row.state === "taken" ? "taken" : "lost";
}
