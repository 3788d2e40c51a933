import pg from "pg";
import type { Deliver } from "../../src/delivery/deliver.ts";
import { type PostgresLedger, postgresLedger } from "../../src/ledger/postgres/postgres.ts";
import type { Reach } from "./death.ts";
import type { EffectFile, EffectLine } from "./effects.ts";
import { digestOf } from "./emitter.ts";

/** Where a trial's ledger is. */
export interface Place {
  readonly url: string;
  readonly schema: string;
}

interface HandlerOptions {
  readonly effects: EffectFile;
  /** How an attempt fails, if it does: before or after it has written, or it hangs. */
  readonly fails: (id: string, attempt: number) => "before" | "after" | "hangs" | undefined;
  readonly reach: Reach;
}

/** One host's end of a Postgres. */
export interface PostgresEnd {
  readonly ledger: PostgresLedger;
  /** A handler that is not idempotent; undefined when the trial's is not transactional. */
  deliver(options: HandlerOptions): Deliver | undefined;
  close(): Promise<void>;
}

/** Connects a host. */
export function connectPostgres(
  { url, schema, transactional }: Place & { readonly transactional: boolean },
  life: string,
): PostgresEnd {
  const pool = new pg.Pool({ connectionString: url, max: 18, application_name: life });
  const ledger = postgresLedger({ pool, schema });
  return {
    ledger,
    deliver({ effects, fails, reach }) {
      if (!transactional) return undefined;
      return ledger.transactional(async ({ id, text }, { client, attempt }) => {
        effects.write("start", id);
        const fail = fails(id, attempt);
        if (fail === "before") throw new Error("not now");
        await client.query(`insert into ${schema}.effects (id, digest, life) values ($1, $2, $3)`, [
          id,
          digestOf(text),
          life,
        ]);
        reach("in-transaction");
        if (fail === "hangs") await client.query("select pg_sleep(60)");
        if (fail === "after") throw new Error("not now, but written");
      });
    },
    close: () => pool.end(),
  };
}

/** What the checker sees of a trial's Postgres. */
export interface PostgresView {
  /** The ids that had an effect so far, as of a moment ago. */
  readonly done: ReadonlySet<string>;
  /** What transactional handlers did, by their lives. */
  effects(): Promise<ReadonlyMap<string, readonly EffectLine[]>>;
  /** The ids of each session's messages, in the order in which they were recorded. */
  sessions(): Promise<readonly (readonly string[])[]>;
  /** How many messages are not delivered. */
  left(): Promise<number>;
  close(): Promise<void>;
}

/** Makes the table of effects, and looks at it. */
export async function viewPostgres({ url, schema }: Place): Promise<PostgresView> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  // The server is stopped now and then.
  pool.on("error", () => {});
  await pool.query(`create schema ${schema}`);
  await pool.query(
    `create table ${schema}.effects (number bigint generated always as identity, id text, digest text, life text)`,
  );
  const done = new Set<string>();
  let last = 0;
  const look = async () => {
    // Numbers are given before the commit: a lower one may come to sight later.
    const { rows } = await pool.query(`select number, id from ${schema}.effects where number > $1`, [last - 1_000]);
    for (const { number, id } of rows) {
      done.add(id);
      last = Math.max(last, Number(number));
    }
  };
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= look()
      .catch(() => {})
      .finally(() => {
        looking = undefined;
      });
  }, 200);
  return {
    done,
    async effects() {
      const { rows } = await pool.query(`select number, id, digest, life from ${schema}.effects order by number`);
      const byLife = Map.groupBy(rows, ({ life }) => String(life));
      return new Map(
        [...byLife].map(([life, lines]) => [
          life,
          lines.map(({ number, id, digest }) => ({ what: "done", id, digest, at: BigInt(number) }) as const),
        ]),
      );
    },
    async sessions() {
      const { rows } = await pool.query(`select id, session_key from ${schema}.messages order by position`);
      return [...Map.groupBy(rows, ({ session_key }) => session_key).values()].map((of) => of.map(({ id }) => id));
    },
    async left() {
      const { rows } = await pool.query(`select count(*) from ${schema}.messages where state <> 'delivered'`);
      return Number(rows[0]?.count);
    },
    async close() {
      clearInterval(timer);
      await looking;
      await pool.end();
    },
  };
}
