import { readFileSync, writeFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { InboxError } from "../../../src/errors.ts";
import { type Clock, systemClock } from "../../../src/kit/clock.ts";
import {
  type PostgresLedger,
  type PostgresLedgerOptions,
  postgresLedger,
} from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { type OwnPostgres, query, startPostgres } from "../../helpers/postgres.ts";

let server: OwnPostgres | undefined;
let schema: string;
let role: string;
beforeAll(async () => {
  server = await startPostgres("A POSTGRES WITH SETTINGS AND RIGHTS THAT ARE IN THE WAY");
}, 60_000);
afterAll(() => server?.stop());

/** Runs statements as the server's owner. */
const admin = (...statements: string[]) => query(server?.url as string, statements);

/** The server's address for the role of this test, with a password. */
function roleUrl(): string {
  const url = new URL(server?.url as string);
  url.username = role;
  url.password = "s3cret";
  return url.href;
}

async function open(options: Partial<PostgresLedgerOptions> = {}, clock: Clock = systemClock) {
  const alarms: (InboxError | undefined)[] = [];
  const where = options.pool === undefined ? { connectionString: roleUrl() } : {};
  const ledger: PostgresLedger = postgresLedger({ schema, ...where, ...options });
  await ledger.open({
    clock,
    ordering: "session",
    onAlarm: (error) => alarms.push(error),
    onDamage: () => expect.unreachable(),
    onClaimable() {},
  });
  return { ledger, alarms };
}

const attempt = () => ({ attempt: 1, signal: new AbortController().signal });
const session = (name: string) => ({ sessionKey: `agent:main:${name}` });

beforeEach(async ({ skip }) => {
  if (server === undefined) return skip();
  schema = server.schema();
  role = `${schema}_role`;
  await admin(
    `create role ${role} login password 's3cret'`,
    `create schema ${schema} authorization ${role}`,
    `create table ${schema}_effects (id text)`,
    `grant all on ${schema}_effects to ${role}`,
  );
});

describe("a role", () => {
  it("that loses its rights raises one alarm and writes all when they are back", async () => {
    const { ledger, alarms } = await open();
    await ledger.take(messageOf("a", session("a")));
    await admin(
      `revoke all on all tables in schema ${schema} from ${role}`,
      `alter table ${schema}.messages owner to inbox`,
    );
    ledger.delivered("a", 1);
    await expect.poll(() => alarms.length).toBe(1);
    expect(await ledger.take(messageOf("b", session("b")))).toBe("taken");
    expect(alarms).toEqual([expect.objectContaining({ code: "ERR_INBOX_LEDGER" })]);
    expect(alarms[0]?.message).toContain("the role may not");
    await admin(
      `alter table ${schema}.messages owner to ${role}`,
      `grant all on all tables in schema ${schema} to ${role}`,
    );
    await expect.poll(() => alarms.length).toBe(2);
    await ledger.flush();
    expect(await admin(`select id, state from ${schema}.messages order by id`)).toEqual([
      { id: "a", state: "delivered" },
      { id: "b", state: "taken" },
    ]);
    await ledger.close();
  }, 60_000);

  it("that may only read by default is told what is in the way", async () => {
    await admin(`alter role ${role} set default_transaction_read_only = on`);
    // It waits 10 seconds for a standby that becomes a server: they pass at once.
    let now = 0;
    const clock = { ...systemClock, now: () => (now += 10_000) };
    await expect(open({}, clock)).rejects.toThrow("is `default_transaction_read_only` on?");
  }, 60_000);

  it("with short timeouts takes messages on and delivers them", async () => {
    for (const setting of ["statement_timeout", "lock_timeout", "idle_session_timeout", "transaction_timeout"])
      await admin(`alter role ${role} set ${setting} = '300ms'`).catch(() => {});
    const { ledger, alarms } = await open();
    expect(await ledger.take(messageOf("a"))).toBe("taken");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const deliver = ledger.transactional(async ({ id }, { client }) => {
      await client.query(`insert into ${schema}_effects values ($1)`, [id]);
    });
    await deliver(messageOf("a"), attempt());
    expect(await admin(`select id from ${schema}_effects`)).toEqual([{ id: "a" }]);
    expect(alarms).toEqual([]);
    await ledger.close();
  }, 60_000);

  it("whose idle transactions are ended costs a slow handler its attempt only", async () => {
    await admin(`alter role ${role} set idle_in_transaction_session_timeout = '200ms'`);
    const { ledger } = await open();
    await ledger.take(messageOf("a"));
    let isSlow = true;
    const deliver = ledger.transactional(async ({ id }, { client }) => {
      await client.query(`insert into ${schema}_effects values ($1)`, [id]);
      if (isSlow) await new Promise((resolve) => setTimeout(resolve, 1_000));
      isSlow = false;
    });
    await expect(deliver(messageOf("a"), attempt())).rejects.toThrow();
    await deliver(messageOf("a"), attempt());
    expect(await admin(`select id from ${schema}_effects`)).toEqual([{ id: "a" }]);
    await ledger.close();
  }, 60_000);

  it("that works in serializable transactions delivers once", async () => {
    await admin(`alter role ${role} set default_transaction_isolation = 'serializable'`);
    const { ledger } = await open();
    const ids = Array.from({ length: 20 }, (_, index) => `m${index}`);
    await Promise.all(ids.map(async (id) => ledger.take(messageOf(id, session(id)))));
    const deliver = ledger.transactional(async ({ id }, { client }) => {
      const { rows } = await client.query(`select count(*)::int as count from ${schema}_effects`);
      await client.query(`insert into ${schema}_effects values ($1)`, [`${id} ${rows[0].count}`.split(" ")[0]]);
    });
    const untilDelivered = async (id: string): Promise<void> =>
      deliver(messageOf(id, session(id)), attempt()).catch(() => untilDelivered(id));
    await Promise.all(ids.map(untilDelivered));
    expect((await admin(`select id from ${schema}_effects order by id`)).map(({ id }) => id)).toEqual([...ids].sort());
    await ledger.close();
  }, 60_000);
});

describe("a pool", () => {
  it("that its host has used up is named", async () => {
    const pool = new pg.Pool({ connectionString: roleUrl(), max: 3 });
    const taken = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    await expect(open({ pool })).rejects.toThrow("its `max`, from the pool");
    for (const client of taken) client.release();
    await pool.end();
  }, 60_000);

  it("that its host ends raises an alarm and lets the ledger close", async () => {
    const pool = new pg.Pool({ connectionString: roleUrl() });
    const { ledger, alarms } = await open({ pool });
    await ledger.take(messageOf("a"));
    const ended = pool.end();
    await admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
    await expect.poll(() => alarms.length).toBe(1);
    await ledger.close();
    await ended;
  }, 60_000);
});

describe("a server", () => {
  it("that is refused without TLS is named without the password", async () => {
    const [{ file } = {}] = await admin("select current_setting('hba_file') as file");
    const before = readFileSync(String(file), "utf8");
    const write = async (text: string) => {
      writeFileSync(String(file), text);
      await admin("select pg_reload_conf()");
    };
    await write("host all inbox all trust\nhostssl all all all scram-sha-256\n");
    try {
      await expect.poll(async () => open().then(() => "open", String)).toContain("no encryption");
      const refused = await open().catch((error: Error) => error);
      expect(String(refused)).not.toContain("s3cret");
    } finally {
      await write(before);
    }
  }, 60_000);
});
