import type { Pool, PoolClient } from "pg";
import { errorText, InboxError } from "../../errors.ts";
import { systemClock } from "../../kit/clock.ts";
import { within } from "../../kit/deadline.ts";
import { destroy, hold } from "./check-out.ts";

/** Where connections come from. */
export interface Connections {
  /** Resolves with a client for the caller, who must release it. Rejects when there is none within `ms`. */
  connect(ms: number): Promise<PoolClient>;
  /** Ends our own pool. The caller's pool stays open. */
  end(): Promise<void>;
}

/** How long to wait for a connection, in ms. */
export const CONNECT_MS = 10_000;
/** One for each handler call of an inbox with default options, and two for the ledger. */
const MAX_CONNECTIONS = 18;

/** Connections of the caller's pool, or of our own. */
export async function connectionsOf(
  given: Pool | undefined,
  connectionString: string | undefined,
): Promise<Connections> {
  const pool = given ?? (await makePool(connectionString as string));
  // Nobody needs the errors of an idle connection, but without a listener they would end the process.
  const ignore = () => {};
  pool.on("error", ignore);
  return {
    async connect(ms) {
      const client = pool.connect();
      let isLate = false;
      const connected = client.then((one) => {
        hold(one);
        if (isLate) destroy(one);
      });
      if (!(await within(systemClock, ms, connected))) {
        isLate = true;
        connected.catch(ignore);
        throw new Error(
          `There was no connection within ${ms} ms: neither from the server nor, if it has reached its \`max\`, from the pool`,
        );
      }
      return client;
    },
    async end() {
      if (given !== undefined) given.off("error", ignore);
      else if (!pool.ending) await pool.end();
    },
  };
}

async function makePool(connectionString: string): Promise<Pool> {
  let pg: typeof import("pg");
  try {
    pg = await import("pg");
  } catch (error) {
    throw new InboxError(
      "ERR_INBOX_LEDGER",
      "A ledger in Postgres needs the package `pg`: npm install pg",
      { reason: "no-pg" },
      error,
    );
  }
  const { Pool } = pg.default ?? pg;
  try {
    return new Pool({
      connectionString,
      max: MAX_CONNECTIONS,
      keepAlive: true,
      application_name: "openclaw-inbox",
    });
  } catch (error) {
    // An unreadable connection string may hold a password, so no error quotes it.
    throw new InboxError(
      "ERR_INBOX_LEDGER",
      `The connection string cannot be read (${errorText(error).split(":")[0]})`,
      {},
    );
  }
}
