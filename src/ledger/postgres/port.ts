import type { PoolClient } from "pg";
import type { ProactiveMessage, Session } from "../../types.ts";
import type { Ledger } from "../ledger.ts";

/** What a transactional handler is told about the attempt. */
export interface TransactionContext {
  /** A client of `pg` in an open transaction, for this attempt only. */
  readonly client: PoolClient;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Aborted when the attempt has taken too long or the inbox stops: it is rolled back. */
  readonly signal: AbortSignal;
}

/** What {@link PostgresLedger.transactional} makes a `deliver` handler of. */
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
   * Makes a `deliver` handler whose effects happen exactly once: what it writes with `client` and the ledger's "delivered"
   * are one transaction. When it throws, everything is rolled back and it counts as a failed attempt. It must not end the
   * transaction, and must await its queries; what it does elsewhere than with `client` is not part of it.
   *
   * @example
   * deliver: ledger.transactional(async (message, { client }) => {
   *   await client.query("insert into comments (body) values ($1)", [message.text]);
   * })
   */
  transactional<S extends Session = Session>(handler: TransactionalHandler<S>): Deliver<S>;
}
