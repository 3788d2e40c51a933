import { setImmediate as turn } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { InboxError } from "../../../src/errors.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { type PostgresLedger, postgresLedger, type TransactionContext } from "../../../src/ledger/postgres/postgres.ts";
import type { ProactiveMessage } from "../../../src/types.ts";
import { messageOf } from "../../helpers/message.ts";
import { usePostgres } from "../../helpers/postgres.ts";

const postgres = await usePostgres("TRANSACTIONAL HANDLERS");

describe.skipIf(postgres === undefined)("ledger.transactional", () => {
  let schema: string;
  let pool: pg.Pool;
  let ledger: PostgresLedger;
  const host = { clock: systemClock, ordering: "session" as const, onAlarm() {}, onDamage() {}, onClaimable() {} };

  beforeAll(() => {
    pool = new pg.Pool({ connectionString: postgres?.url, max: 10 });
  });

  beforeEach(async () => {
    schema = postgres?.schema() as string;
    await pool.query(`create schema ${schema}`);
    await pool.query(`create table ${schema}.effects (message text, note text)`);
    ledger = postgresLedger({ pool, schema });
    await ledger.open(host);
  });

  afterEach(() => ledger.close());
  afterAll(async () => {
    await pool.end();
    await postgres?.stop();
  });

  const effects = async () =>
    (await pool.query(`select message from ${schema}.effects order by message`)).rows.map(({ message }) => message);
  const stateOf = async (id: string) =>
    (await pool.query(`select state from ${schema}.messages where id = $1`, [id])).rows[0]?.state;
  const insert = (client: Pick<pg.PoolClient, "query">, { id }: ProactiveMessage) =>
    client.query(`insert into ${schema}.effects (message) values ($1)`, [id]);

  /** Delivers a message that is taken on first, unless it was. */
  async function attempt(
    handler: (message: ProactiveMessage, context: TransactionContext) => unknown,
    { id = "a", signal = new AbortController().signal } = {},
  ): Promise<unknown> {
    await ledger.take(messageOf(id));
    return ledger.transactional(handler)(messageOf(id), { attempt: 1, signal });
  }

  it("commits the handler's writes together with `delivered`", async () => {
    await attempt(async (message, { client }) => {
      await insert(client, message);
      expect(await effects()).toEqual([]);
      expect(await stateOf("a")).toBe("taken");
    });
    expect(await effects()).toEqual(["a"]);
    expect(await stateOf("a")).toBe("delivered");
    expect(await ledger.take(messageOf("a"))).toBe("known");
  });

  it("rolls back when the handler throws and delivers at the next attempt", async () => {
    const failing = attempt(async (message, { client }) => {
      await insert(client, message);
      throw new Error("not now");
    });
    await expect(failing).rejects.toThrow("not now");
    expect(await effects()).toEqual([]);
    expect(await stateOf("a")).toBe("taken");
    await attempt((message, { client }) => insert(client, message));
    expect(await effects()).toEqual(["a"]);
  });

  it("does not call the handler for a delivered message", async () => {
    await attempt((message, { client }) => insert(client, message));
    await attempt(() => expect.unreachable());
    expect(await effects()).toEqual(["a"]);
  });

  it("reports a lost lease and rolls back nothing of another inbox", async () => {
    await ledger.take(messageOf("a"));
    await pool.query(`update ${schema}.messages set owner = '999'`);
    await expect(attempt(() => expect.unreachable())).rejects.toMatchObject({ code: "ERR_INBOX_LEASE" });
    expect(await stateOf("a")).toBe("taken");
  });

  it("fails when the handler swallows an SQL error", async () => {
    const failing = attempt(async (message, { client }) => {
      await insert(client, message);
      await client.query("select 1 / 0").catch(() => {});
    });
    await expect(failing).rejects.toMatchObject({
      code: "ERR_INBOX_TRANSACTION",
      message: /One of the handler's queries/,
    });
    expect(await effects()).toEqual([]);
    expect(await stateOf("a")).toBe("taken");
  });

  it("lets a handler catch an SQL error with a savepoint", async () => {
    await attempt(async (message, { client }) => {
      await client.query("savepoint mine");
      await client.query("select 1 / 0").catch(() => client.query("rollback to savepoint mine"));
      await insert(client, message);
    });
    expect(await effects()).toEqual(["a"]);
  });

  it("fails when the handler returns before a query is done", async () => {
    const failing = attempt((message, { client }) => void insert(client, message));
    await expect(failing).rejects.toMatchObject({ code: "ERR_INBOX_TRANSACTION", message: /await each of them/ });
    expect(await effects()).toEqual([]);
  });

  it("refuses a client that is used after the handler returned", async () => {
    let kept: pg.PoolClient | undefined;
    await attempt((_, { client }) => {
      kept = client;
    });
    await expect(kept?.query("select 1")).rejects.toMatchObject({ code: "ERR_INBOX_TRANSACTION" });
    const told = await new Promise((resolve) => kept?.query("select 1", resolve));
    expect(told).toMatchObject({ code: "ERR_INBOX_TRANSACTION" });
  });

  it.each(["commit", "  ROLLBACK", "begin", "-- why\nend", "/* so */ start transaction", "rollback work", "abort"])(
    "refuses `%s`",
    async (text) => {
      const failing = attempt(async (message, { client }) => {
        await insert(client, message);
        await client.query({ text });
      });
      await expect(failing).rejects.toMatchObject({ code: "ERR_INBOX_TRANSACTION" });
      expect(await effects()).toEqual([]);
    },
  );

  it.each(["release", "end", "connect"] as const)("refuses `client.%s()`", async (name) => {
    await expect(attempt((_, { client }) => client[name]())).rejects.toMatchObject({ code: "ERR_INBOX_TRANSACTION" });
  });

  it("fails without an effect when the handler ends the transaction", async () => {
    const failing = attempt(async (message, { client }) => {
      await insert(client, message);
      await client.query("select 1; commit; begin");
    });
    await expect(failing).rejects.toMatchObject({ code: "ERR_INBOX_TRANSACTION", message: /ended/ });
    await attempt(() => expect.unreachable());
    expect(await effects()).toEqual(["a"]);
  });

  it("fails when a constraint is checked at the commit", async () => {
    await pool.query(`create table ${schema}.parents (id text primary key)`);
    await pool.query(`create table ${schema}.children (
      parent text references ${schema}.parents deferrable initially deferred)`);
    const failing = attempt((_, { client }) => client.query(`insert into ${schema}.children values ('nobody')`));
    await expect(failing).rejects.toMatchObject({ code: "23503" });
    expect(await stateOf("a")).toBe("taken");
  });

  it("rolls back at the timeout and delivers at the next attempt", async () => {
    const control = new AbortController();
    const failing = attempt(
      async (message, { client }) => {
        await insert(client, message);
        control.abort(new InboxError("ERR_INBOX_TIMEOUT", "too late"));
        await client.query("select pg_sleep(60)");
      },
      { signal: control.signal },
    );
    await expect(failing).rejects.toMatchObject({ code: "ERR_INBOX_TIMEOUT" });
    await attempt((message, { client }) => insert(client, message));
    expect(await effects()).toEqual(["a"]);
  });

  it("always returns its connection to the pool", async () => {
    for (let times = 0; times < 15; times += 1) {
      await attempt(() => Promise.reject(new Error("no"))).catch(() => {});
      await attempt((_, { client }) => void client.query("select 1")).catch(() => {});
    }
    await attempt((message, { client }) => insert(client, message));
    await turn();
    expect(pool.waitingCount).toBe(0);
    expect(pool.totalCount - pool.idleCount, "the ledger's own two").toBe(2);
    const client = await pool.connect();
    expect(client.listenerCount("error")).toBe(0);
    client.release();
  });

  it("says that its ledger is not the inbox's", async () => {
    const stray = postgresLedger({ pool, schema });
    const deliver = stray.transactional(() => expect.unreachable());
    await expect(deliver(messageOf("a"), { attempt: 1, signal: new AbortController().signal })).rejects.toMatchObject({
      code: "ERR_INBOX_OPTION",
    });
    expect(() => stray.transactional(undefined as never)).toThrow(/`handler` to be a function/);
  });

  it("reads the row when the connection breaks at the commit", async () => {
    let breakAt = "after";
    // A pool whose clients lose their connection around the commit.
    const flaky = new pg.Pool({ connectionString: postgres?.url, max: 10 });
    const own = postgresLedger({ pool: flaky, schema });
    await own.open(host);
    flaky.on("connect", (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      client.query = (async (...args: unknown[]) => {
        const isCommit = typeof args[0] === "string" && args[0].endsWith("; commit");
        if (isCommit && breakAt === "after") await query(...args);
        if (!isCommit || breakAt === "") return query(...args);
        breakAt = "";
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
        throw new Error("Connection terminated unexpectedly");
      }) as never;
    });
    const deliver = own.transactional((message, { client }) => insert(client, message));
    const context = { attempt: 1, signal: new AbortController().signal };
    await own.take(messageOf("a", { sessionKey: "one" }));
    await deliver(messageOf("a"), context);
    expect(await effects()).toEqual(["a"]);
    breakAt = "before";
    await own.take(messageOf("b", { sessionKey: "two" }));
    await expect(deliver(messageOf("b"), context)).rejects.toThrow("Connection terminated");
    expect(await effects()).toEqual(["a"]);
    await deliver(messageOf("b"), context);
    expect(await effects()).toEqual(["a", "b"]);
    await own.close();
    await flaky.end();
  });
});
