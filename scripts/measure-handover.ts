import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { systemClock } from "../src/kit/clock.ts";
import { postgresLedger } from "../src/ledger/postgres/postgres.ts";
import type { ProactiveMessage } from "../src/types.ts";

/**
 * How long it takes until a host hears of a message that another has recorded for it, by LISTEN/NOTIFY and by polling, and
 * what notifying costs: `DATABASE_URL=postgres://... npx tsx scripts/measure-handover.ts`. The numbers are in docs/decisions.md.
 */
const url = process.env["DATABASE_URL"] ?? "postgres://root@127.0.0.1:5432/postgres";
const schema = `measure_${process.pid}`;
const TIMES = 300;
const MANY = 20_000;

const messageOf = (id: string, session: string): ProactiveMessage =>
  ({
    id,
    gateway: "home",
    runId: id,
    sessionKey: `agent:main:${session}`,
    session: {},
    attachments: [],
    text: "Standup is in ten minutes.",
    startedAt: 0,
    completedAt: 0,
    late: false,
    recovered: false,
    origin: "cron",
  }) as unknown as ProactiveMessage;

function quantiles(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] as number).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

async function open(onClaimable: () => void = () => {}) {
  const ledger = postgresLedger({ connectionString: url, schema });
  await ledger.open({ clock: systemClock, ordering: "session", onAlarm: console.error, onDamage() {}, onClaimable });
  return ledger;
}

let told = () => {};
const owner = await open(() => told());
const other = await open();
await owner.take(messageOf("first", "shared"));

const byNotify: number[] = [];
for (let index = 0; index < TIMES; index += 1) {
  const heard = new Promise<void>((resolve) => {
    told = resolve;
  });
  const begun = performance.now();
  await other.take(messageOf(`notify-${index}`, "shared"));
  await heard;
  await owner.claim(10);
  byNotify.push(performance.now() - begun);
}
console.log(`LISTEN/NOTIFY: ${quantiles(byNotify)}`);

const pool = new pg.Pool({ connectionString: url, max: 1 });
for (const everyMs of [1_000, 250, 50]) {
  const byPoll: number[] = [];
  let asked = 0;
  let askedMs = 0;
  const times = everyMs === 1_000 ? 30 : 100;
  for (let index = 0; index < times; index += 1) {
    const begun = performance.now();
    await other.take(messageOf(`poll-${everyMs}-${index}`, "shared"));
    // The poll is anywhere in its interval.
    await sleep(Math.random() * everyMs);
    for (;;) {
      const from = performance.now();
      const { rows } = await pool.query(`select ${schema}.is_claimable('1') as yes`);
      asked += 1;
      askedMs += performance.now() - from;
      if (rows[0].yes) break;
      await sleep(everyMs);
    }
    await owner.claim(10);
    byPoll.push(performance.now() - begun);
  }
  console.log(`polling every ${everyMs} ms: ${quantiles(byPoll)}; a question takes ${(askedMs / asked).toFixed(2)} ms`);
}
await pool.end();

for (const [what, session] of [
  ["that nobody is told of", "own"],
  ["that their owner is told of", "shared"],
] as const) {
  const begun = performance.now();
  const ids = Array.from({ length: MANY }, (_, index) => `${session}-${index}`);
  await Promise.all(
    ids.map((id, index) => other.take(messageOf(id, session === "own" ? `own-${index % 50}` : session))),
  );
  console.log(`${MANY} messages ${what}: ${Math.round(MANY / ((performance.now() - begun) / 1_000))} a second`);
}
await other.close();
await owner.close();
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query(`drop schema ${schema} cascade`);
await client.end();
