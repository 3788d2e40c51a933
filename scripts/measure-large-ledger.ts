// How long a ledger with many messages takes for what it does, in a file and in Postgres:
//   npx tsx scripts/measure-large-ledger.ts [--messages 1000000] [--only sqlite|postgres]
// Of them nine of ten are delivered, of the rest half are dead letters and half wait to be claimed, in 1,000 sessions.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import pg from "pg";
import { createSqliteLedger } from "../src/index.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import { postgresLedger } from "../src/ledger/postgres/postgres.ts";
import { createTestClock } from "../src/testing/clock.ts";
import { messageOf } from "../test/helpers/message.ts";
import { usePostgres } from "../test/helpers/postgres.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "1000000" }, only: { type: "string" } },
});
const count = Number(values.messages);
const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;

/** A column of `messages` for the row `i`. */
const state = "case when i % 10 <> 0 then 'delivered' when i % 20 = 0 then 'dead' else 'taken' end";
const fill = (table: string, source: string, cast: (sql: string) => string) => `insert into ${table}
(id, gateway, session_key, lane, run_id, state, owner, attempts, taken_at, changed_at, body)
select 'msg_' || i, 'home', 'agent:main:' || (i % 1000), 'home agent:main:' || (i % 1000), 'run' || i, ${state},
case when i % 20 = 10 then '' else '1' end, 0, ${NOW}, ${NOW} + i,
case when i % 10 = 0 then ${cast(`'{"id":"msg_' || i || '","gateway":"home","runId":"run' || i || '","sessionKey":"agent:main:' || (i % 1000) || '","text":"Standup is in ten minutes."}'`)} end
from ${source}`;

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = performance.now();
  const result = await work();
  console.log(`  ${what.padEnd(56)} ${(performance.now() - before).toFixed(1).padStart(9)} ms`);
  return result;
}

async function measure(name: string, make: () => Ledger): Promise<void> {
  console.log(`${name}, ${count.toLocaleString("en")} messages`);
  const clock = createTestClock(NOW);
  const open = async (ledger: Ledger) => {
    await ledger.open({
      clock,
      ordering: "session",
      onAlarm: console.error,
      onDamage: console.error,
      onClaimable() {},
    });
    return ledger;
  };
  const ledger = await timed("open", () => open(make()));
  await timed("claim 100", () => ledger.claim(100));
  await timed("take a new message", async () => ledger.take(messageOf("new", { sessionKey: "new" })));
  await timed("take 1,000 at once", () =>
    Promise.all(
      Array.from({ length: 1_000 }, (_, i) => ledger.take(messageOf(`new-${i}`, { sessionKey: `new-${i}` }))),
    ),
  );
  await timed("know a message", async () => ledger.take(messageOf("msg_1", { sessionKey: "new" })));
  await timed("list the first 100 dead letters", () => ledger.deadLetters());
  const middle = `msg_${Math.floor(count / 40) * 20}`;
  await timed("list 100 from the middle on", () => ledger.deadLetters({ after: middle }));
  // Everything delivered is old then. In steps: what comes meanwhile does not wait for all of it.
  clock.advance(DAY_MS + count);
  let longest = 0;
  const pruned = timed("forget all that was delivered", () => ledger.flush()).then(() => "pruned");
  for (let take = 0; ; take += 1) {
    const before = performance.now();
    await ledger.take(messageOf(`while-${take}`, { sessionKey: `while-${take}` }));
    longest = Math.max(longest, performance.now() - before);
    if ((await Promise.race([pruned, new Promise((resolve) => setImmediate(resolve))])) === "pruned") break;
  }
  console.log(`  ${"the longest take meanwhile".padEnd(56)} ${longest.toFixed(1).padStart(9)} ms`);
  await timed("close", () => ledger.close());
}

if (values.only !== "postgres") {
  const folder = mkdtempSync(join(tmpdir(), "large-ledger-"));
  const file = join(folder, "inbox.db");
  const host = {
    clock: createTestClock(NOW),
    ordering: "session",
    onAlarm() {},
    onDamage() {},
    onClaimable() {},
  } as const;
  const empty = createSqliteLedger(file);
  await empty.open(host);
  await empty.close();
  const db = new DatabaseSync(file);
  const source = `(with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i from n)`;
  db.exec(`pragma synchronous = off; ${fill("messages", source, (sql) => sql)}`);
  db.close();
  await measure("SQLite", () => createSqliteLedger(file));
  rmSync(folder, { recursive: true });
}

if (values.only !== "sqlite") {
  const postgres = await usePostgres("LARGE LEDGERS");
  if (postgres !== undefined) {
    const { url: connectionString } = postgres;
    const schema = postgres.schema();
    const empty = postgresLedger({ connectionString, schema });
    await empty.open({
      clock: createTestClock(NOW),
      ordering: "session",
      onAlarm() {},
      onDamage() {},
      onClaimable() {},
    });
    await empty.close();
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(fill(`${schema}.messages`, `generate_series(1, ${count}) i`, (sql) => `(${sql})::json`));
    await client.end();
    await measure("Postgres", () => postgresLedger({ connectionString, schema }));
    await postgres.stop();
  }
}
