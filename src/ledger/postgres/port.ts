import type { PoolClient } from "pg";
import type { ProactiveMessage, Session } from "../../types.ts";
import type { Ledger } from "../ledger.ts";

/** What a transactional handler is told about the attempt. */
export interface TransactionContext {
  /** A client of `pg` in an open transaction, valid for this attempt only. */
  readonly client: PoolClient;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** Aborted when the attempt has taken too long or the inbox stops. The transaction is then rolled back. */
  readonly signal: AbortSignal;
}

/** The handler for {@link PostgresLedger.transactional}. */
export type TransactionalHandler<S extends Session = Session> = (
  message: ProactiveMessage<S>,
  context: TransactionContext,
) => unknown;

/** A handler as `createInbox` takes it. */
export type Deliver<S extends Session> = (
  message: ProactiveMessage<S>,
  context: Omit<TransactionContext, "client">,
) => Promise<void>;

/** A ledger in Postgres, for one inbox. */
export interface PostgresLedger extends Ledger {
  /**
   * Makes a `deliver` handler whose effects happen exactly once. Its writes with `client` and the ledger's "delivered"
   * are one transaction. When the handler throws, everything is rolled back and the attempt has failed. It must not end
   * the transaction, and must await its queries. Effects without `client` are not part of the transaction.
   *
   * @example
   * deliver: ledger.transactional(async (message, { client }) => {
   *   await client.query("insert into comments (body) values ($1)", [message.text]);
   * })
   */
  transactional<S extends Session = Session>(handler: TransactionalHandler<S>): Deliver<S>;
}
