import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { postgresLedger } from "../../src/ledger/postgres/postgres.ts";
import { sqliteSchema, sqliteStatements } from "../../src/ledger/sqlite/statements.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { messageOf } from "../helpers/message.ts";
import { usePostgres } from "../helpers/postgres.ts";

const postgres = await usePostgres("A LARGE LEDGER IN POSTGRES");
afterAll(() => postgres?.stop());

// With few messages a statement that reads all of them is as quick as any. So what they read is counted.
describe("a ledger of many messages", () => {
  it.each(Object.entries(sqliteStatements).filter(([name]) => name !== "stats"))(
    "reads no more than it must of a file for %s",
    (_, { sql }) => {
      const db = new DatabaseSync(":memory:");
      for (const statement of sqliteSchema) db.exec(statement);
      const plan = db.prepare(`explain query plan ${sql}`).all() as { detail: string }[];
      const scans = plan.filter(({ detail }) => /^SCAN (messages|m|o)\b(?!.* USING)|TEMP B-TREE/.test(detail));
      expect(scans).toEqual([]);
      db.close();
    },
  );

  it.skipIf(postgres === undefined)("reads no more than it must of Postgres", async () => {
    const COUNT = 20_000;
    const NOW = 1_700_000_000_000;
    const schema = postgres?.schema() as string;
    const connectionString = postgres?.url as string;
    const clock = createTestClock(NOW);
    const open = async () => {
      const ledger = postgresLedger({ connectionString, schema, retainMs: 1_000, retainDeadMs: 1_000_000_000 });
      await ledger.open({
        clock,
        ordering: "session",
        onAlarm: (error) => error && expect.unreachable(error.message),
        onDamage: () => expect.unreachable(),
        onClaimable() {},
      });
      return ledger;
    };
    await (await open()).close();
    const client = new pg.Client({ connectionString });
    await client.connect();
    const body = `'{"id":"msg_' || i || '","gateway":"home","runId":"r","sessionKey":"s","text":"t"}'`;
    await client.query(`insert into ${schema}.messages
      (id, gateway, session_key, lane, run_id, state, owner, taken_at, changed_at, body)
      select 'msg_' || i, 'home', 's', 'lane ' || i % 100, 'r',
        case i % 4 when 0 then 'taken' when 1 then 'dead' else 'delivered' end, '', 0, ${NOW}, (${body})::json
      from generate_series(1, ${COUNT}) i`);
    const readSoFar = async () => {
      const { rows } = await client.query(
        `select sum(seq_tup_read)::int + (
          select sum(idx_tup_read)::int from pg_stat_user_indexes where schemaname = $1 and relname = 'messages'
        ) as count from pg_stat_user_tables where schemaname = $1 and relname = 'messages'`,
        [schema],
      );
      return Number(rows[0]?.count);
    };
    const before = await readSoFar();
    const ledger = await open();
    expect(await ledger.claim(10)).toHaveLength(10);
    expect(await ledger.take(messageOf("new"))).toBe("taken");
    expect(await ledger.take(messageOf("msg_1"))).toBe("known");
    expect(await ledger.deadLetters({ after: "msg_10001" })).toHaveLength(100);
    await ledger.close();
    // What a connection has read is told as it ends.
    await expect.poll(readSoFar).toBeGreaterThan(before);
    const read = await readSoFar();
    // A claim and whether there is one look at 5,000 rows each.
    expect(read - before).toBeLessThan(COUNT * 2);

    clock.advance(10_000);
    const other = await open();
    clock.advance(60_000);
    await other.flush();
    await other.close();
    await expect
      .poll(async () => (await client.query(`select from ${schema}.messages where state = 'delivered'`)).rowCount)
      .toBe(0);
    await expect.poll(async () => (await readSoFar()) - read).toBeGreaterThan(COUNT / 2);
    // In 20 steps: reading all that is old in each would be ten times as much.
    expect((await readSoFar()) - read).toBeLessThan(COUNT * 4);
    await client.end();
  });
});
