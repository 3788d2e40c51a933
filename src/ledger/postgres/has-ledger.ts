import { giveBack } from "./check-out.ts";
import { CONNECT_MS, connectionsOf } from "./connections.ts";
import { versionOf } from "./migrate.ts";
import { namesOf } from "./names.ts";
import { ledgerError } from "./trouble.ts";

/**
 * Whether there is a ledger. It creates none.
 *
 * @throws {InboxError} `ERR_INBOX_LEDGER` when the server does not answer.
 */
export async function hasLedger(connectionString: string, schema: string): Promise<boolean> {
  const connections = await connectionsOf(undefined, connectionString);
  try {
    const client = await connections.connect(CONNECT_MS);
    const version = await versionOf(client, namesOf(schema));
    giveBack(client);
    return version > 0;
  } catch (error) {
    throw ledgerError("The ledger in Postgres cannot be opened", error, schema);
  } finally {
    await connections.end();
  }
}
