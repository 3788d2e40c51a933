import { existsSync } from "node:fs";
import { InboxError } from "../errors.ts";
import { systemClock } from "../kit/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { createSqliteLedger } from "../ledger/sqlite/sqlite.ts";
import { UsageError } from "./usage-error.ts";

/** The option of commands that open a ledger. */
export const ledgerOption = {
  type: "string",
  value: "PLACE",
  help: "the ledger of the inbox: a file, or postgres://...",
} as const;

/** Whether a ledger is in a database and not in a file. */
export function isDatabase(place: string): boolean {
  return /^\w+:\/\//.test(place);
}

/**
 * What `--ledger` names, as `createInbox` takes it: the path of a file, or a ledger in Postgres.
 *
 * @throws {UsageError} for an address of another kind.
 */
export async function openLedger(place: string, retainMs: number | undefined): Promise<string | Ledger> {
  if (!isDatabase(place)) return place;
  // The address is not quoted, because it may hold a password.
  if (!/^postgres(ql)?:/.test(place)) throw new UsageError("Expected the ledger to be a file or postgres://...");
  const { postgresLedger } = await import("../ledger/postgres/postgres.ts");
  return postgresLedger({ ...databaseOf(place), ...(retainMs !== undefined && { retainMs }) });
}

/** `postgres://host/database?schema=name`. `schema` is our own parameter; Postgres gets the rest. */
function databaseOf(place: string): { readonly connectionString: string; readonly schema: string } {
  if (!URL.canParse(place)) throw new UsageError("Expected the ledger to be postgres://user@host/database");
  const address = new URL(place);
  const schema = address.searchParams.get("schema") ?? "openclaw_inbox";
  address.searchParams.delete("schema");
  return { connectionString: address.href, schema };
}

async function isThere(place: string): Promise<boolean> {
  if (!isDatabase(place)) return existsSync(place);
  const { hasLedger } = await import("../ledger/postgres/has-ledger.ts");
  const { connectionString, schema } = databaseOf(place);
  return hasLedger(connectionString, schema);
}

/**
 * Opens a ledger only to look at it, even while an inbox uses it. It claims no message.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when there is no ledger. Opening it would create one.
 */
export async function visitLedger<T>(place: string, look: (ledger: Ledger) => Promise<T>): Promise<T> {
  const opened = await openLedger(place, undefined);
  if (!(await isThere(place)))
    throw new InboxError(
      "ERR_INBOX_LEDGER",
      `There is no ledger ${isDatabase(place) ? "in that database" : place}`,
      {},
    );
  const ledger = typeof opened === "string" ? createSqliteLedger(opened) : opened;
  try {
    await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
    return await look(ledger);
  } finally {
    await ledger.close();
  }
}
