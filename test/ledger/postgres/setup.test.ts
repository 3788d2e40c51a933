import pg from "pg";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kit/clock.ts";
import { type PostgresLedgerOptions, postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { startPgBouncer } from "../../helpers/pgbouncer.ts";
import { query, usePostgres } from "../../helpers/postgres.ts";

const postgres = await usePostgres("HOW A LEDGER IN POSTGRES IS SET UP");
const url = postgres?.url as string;
const host = { clock: systemClock, ordering: "session" as const, onAlarm() {}, onDamage() {}, onClaimable() {} };

afterAll(() => postgres?.stop());

const openLedgers: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const ledger of openLedgers.splice(0)) await ledger.close();
});

async function open(options: PostgresLedgerOptions) {
  const ledger = postgresLedger(options);
  openLedgers.push(ledger);
  await ledger.open(host);
  return ledger;
}

const admin = (...statements: string[]) => query(url, statements);

const withUrl = (change: (address: URL) => void) => {
  const address = new URL(url);
  change(address);
  return address.href;
};

describe.skipIf(postgres === undefined)("the schema", () => {
  it("is created once by many hosts that start together", async () => {
    const schema = postgres?.schema() as string;
    const ledgers = await Promise.all(Array.from({ length: 8 }, () => open({ connectionString: url, schema })));
    const answers = await Promise.all(ledgers.map((ledger) => ledger.take(messageOf("a"))));
    expect(answers.filter((answer) => answer === "taken")).toHaveLength(1);
    expect(await admin(`select version from ${schema}.version`)).toEqual([{ version: 1 }]);
  });

  it("is left alone when a newer version created it", async () => {
    const schema = postgres?.schema() as string;
    await open({ connectionString: url, schema });
    await admin(`update ${schema}.version set version = 7`);
    await expect(open({ connectionString: url, schema })).rejects.toMatchObject({
      code: "ERR_INBOX_LEDGER",
      message: expect.stringContaining("version 7, made by a newer openclaw-inbox"),
    });
    expect(await admin(`select version from ${schema}.version`)).toEqual([{ version: 7 }]);
  });

  it.each(['we"ird; drop schema public --', "Ünï-Cödé", "has space", "select", "a'b\\c$body$"])(
    "may be called %s",
    async (name) => {
      const schema = `${name} ${process.pid}`;
      try {
        const ledger = await open({ connectionString: url, schema });
        expect(await ledger.take(messageOf("a"))).toBe("taken");
        ledger.delivered("a", 1);
        await ledger.flush();
        expect(await admin("select nspname from pg_namespace where nspname = 'public'")).toHaveLength(1);
      } finally {
        await openLedgers.pop()?.close();
        await admin(`drop schema "${schema.replaceAll('"', '""')}" cascade`);
      }
    },
  );

  it.each(["", "pg_mine", "x".repeat(64), "nul\0", "half \ud800", 5])("may not be called %j", (schema) => {
    expect(() => postgresLedger({ connectionString: url, schema: schema as string })).toThrow(/`schema`/);
  });

  it("needs no right outside itself", async () => {
    const schema = postgres?.schema() as string;
    const role = `${schema}_role`;
    const connectionString = withUrl((address) => {
      address.username = role;
    });
    await admin(`create role ${role} login`);
    try {
      const { rows } = { rows: await admin("select current_database() as name") };
      await admin(`revoke create on database "${rows[0]?.["name"]}" from public`);
      await expect(open({ connectionString, schema })).rejects.toMatchObject({
        code: "ERR_INBOX_LEDGER",
        message: expect.stringContaining(`create schema "${schema}" authorization`),
      });
      await admin(`create schema ${schema} authorization ${role}`);
      const ledger = await open({ connectionString, schema });
      expect(await ledger.take(messageOf("a"))).toBe("taken");
      await ledger.close();
    } finally {
      await admin(`drop schema if exists ${schema} cascade`, `drop role ${role}`);
    }
  });

  it("is not created in a database that cannot store every text", async () => {
    const name = `${postgres?.schema()}_latin1`;
    await admin(`create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    try {
      const connectionString = withUrl((address) => {
        address.pathname = `/${name}`;
      });
      await expect(open({ connectionString })).rejects.toMatchObject({
        code: "ERR_INBOX_LEDGER",
        message: expect.stringContaining("encoding is LATIN1"),
      });
    } finally {
      await admin(`drop database ${name}`);
    }
  });

  it("works with any defaults of the role", async () => {
    const schema = postgres?.schema() as string;
    const pool = new pg.Pool({
      connectionString: url,
      options:
        "-c default_transaction_isolation=serializable -c synchronous_commit=off -c idle_session_timeout=200 -c statement_timeout=1000 -c standard_conforming_strings=off -c search_path=",
    });
    const ledger = await open({ pool, schema });
    const other = await open({ pool, schema });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => [ledger, other].map((one) => one.take(messageOf(`${index}`)))).flat(),
    );
    expect(answers.filter((answer) => answer === "known")).toHaveLength(200);
    await ledger.close();
    await other.close();
    await pool.end();
  });
});

describe.skipIf(postgres === undefined)("the options", () => {
  it.each([
    [{}, /`pool` to be given/],
    [{ pool: new pg.Pool(), connectionString: "postgres://x" }, /not both/],
    [{ pool: {} }, /`pool` to be a Pool/],
    [{ pool: new pg.Pool({ max: 2 }) }, /`pool.options.max` to be an integer >= 3/],
    [{ connectionString: "" }, /`connectionString`/],
    [{ connectionString: "postgres://x", retainMs: 0 }, /`retainMs` to be an integer >= 1/],
    [{ connectionString: "postgres://x", shema: "y" }, /`shema`/],
    [undefined, /`options` to be an object/],
  ])("%j is refused", (options, message) => {
    expect(() => postgresLedger(options as PostgresLedgerOptions)).toThrow(message);
  });

  it("quotes no password", async () => {
    const { hostname, port } = new URL(url);
    for (const connectionString of [
      `postgres://nobody:sesame@${hostname}:${port || 5432}/nowhere-${process.pid}`,
      "postgres://user:sesame@[bad",
    ]) {
      const error = await open({ connectionString }).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: "ERR_INBOX_LEDGER" });
      expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain("sesame");
    }
  });

  it("serve one inbox only", async () => {
    const ledger = await open({ connectionString: url, schema: postgres?.schema() as string });
    await expect(ledger.open(host)).rejects.toMatchObject({ code: "ERR_INBOX_OPTION" });
  });
});

describe.skipIf(postgres === undefined)("a message", () => {
  it("that the server refuses is delivered with an alarm and delays no other", async () => {
    const alarms: unknown[] = [];
    const schema = postgres?.schema() as string;
    const ledger = postgresLedger({ connectionString: url, schema });
    openLedgers.push(ledger);
    await ledger.open({ ...host, onAlarm: (error) => alarms.push(error) });
    await admin(`alter table ${schema}.messages add check (session_key <> 'poison')`);
    const answers = await Promise.all(
      ["one", "poison", "three"].map((sessionKey) => ledger.take(messageOf(sessionKey, { sessionKey }))),
    );
    ledger.delivered("poison", 1);
    ledger.delivered("three", 1);
    expect(answers).toEqual(["taken", "taken", "taken"]);
    await ledger.flush();
    expect(await admin(`select id, state from ${schema}.messages order by id`)).toEqual([
      { id: "one", state: "taken" },
      { id: "three", state: "delivered" },
    ]);
    expect(alarms).toEqual([expect.objectContaining({ code: "ERR_INBOX_LEDGER" }), undefined]);
  });

  it("keeps its NUL characters and half characters", async () => {
    const schema = postgres?.schema() as string;
    const one = await open({ connectionString: url, schema });
    const message = messageOf("a\0b", {
      text: "\0 NUL, half \ud800, \\u0000",
      runId: "run \ud800",
      sessionKey: "key \0",
    });
    await one.take(message);
    one.attempted(message.id, 1, "no\0 \ud800");
    await one.close();
    const two = await open({ connectionString: url, schema });
    await expect.poll(async () => two.claim(1)).toMatchObject([{ message, error: "no \ufffd" }]);
    // Its session key can be read by people.
    expect(await admin(`select session_key from ${schema}.messages`)).toEqual([{ session_key: "key " }]);
  });

  it("with a session that is no JSON is refused by name", async () => {
    const ledger = await open({ connectionString: url, schema: postgres?.schema() as string });
    await expect(ledger.take(messageOf("a", { session: { big: 1n } }))).rejects.toMatchObject({
      code: "ERR_INBOX_OPTION",
    });
  });
});

describe.skipIf(postgres === undefined)("PgBouncer", () => {
  it("works in session mode", async ({ skip }) => {
    const bouncer = await startPgBouncer(url, "session", "POSTGRES THROUGH PGBOUNCER");
    if (bouncer === undefined) return skip("PGBOUNCER IS NOT INSTALLED");
    try {
      const schema = postgres?.schema() as string;
      const one = await open({ connectionString: bouncer.url, schema });
      const two = await open({ connectionString: bouncer.url, schema });
      expect(await one.take(messageOf("a"))).toBe("taken");
      expect(await two.take(messageOf("b"))).toBe("elsewhere");
      const deliver = one.transactional(async (_, { client }) => client.query("select 1"));
      await deliver(messageOf("a"), { attempt: 1, signal: new AbortController().signal });
      await one.close();
      await expect.poll(async () => (await two.claim(10)).map(({ message }) => message.id)).toEqual(["b"]);
      await two.close();
    } finally {
      await bouncer.stop();
    }
  });

  it.each(["transaction", "statement"] as const)("is refused in %s mode by name", async (mode) => {
    const bouncer = await startPgBouncer(url, mode, "POSTGRES THROUGH PGBOUNCER");
    if (bouncer === undefined) return;
    try {
      for (let times = 0; times < 5; times += 1) {
        const opening = open({ connectionString: bouncer.url, schema: postgres?.schema() as string });
        await expect(opening).rejects.toMatchObject({
          code: "ERR_INBOX_LEDGER",
          message: expect.stringContaining("session mode"),
          details: { reason: "pooler" },
        });
      }
    } finally {
      await bouncer.stop();
    }
  });
});
