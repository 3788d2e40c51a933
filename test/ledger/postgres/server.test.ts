import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import type { InboxError } from "../../../src/errors.ts";
import { type Clock, systemClock } from "../../../src/kit/clock.ts";
import { type PostgresLedger, postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { type OwnPostgres, query, startPostgres } from "../../helpers/postgres.ts";

const started = await startPostgres("A POSTGRES THAT STOPS AND STARTS");
const server = started as OwnPostgres;
afterAll(() => started?.stop());

/** A ledger that was opened, and what it told its host. */
async function open(schema: string, options: { pool?: pg.Pool; clock?: Clock } = {}) {
  const alarms: (InboxError | undefined)[] = [];
  let claimable = 0;
  const ledger: PostgresLedger = postgresLedger({
    schema,
    ...(options.pool === undefined ? { connectionString: server.url } : { pool: options.pool }),
  });
  await ledger.open({
    clock: options.clock ?? systemClock,
    ordering: "session",
    onAlarm: (error) => alarms.push(error),
    onDamage() {},
    onClaimable: () => {
      claimable += 1;
    },
  });
  return { ledger, alarms, claimable: () => claimable };
}

/** Two ledgers on one schema. */
async function openTwo(options: { clock?: Clock } = {}) {
  const schema = server.schema();
  return { schema, one: await open(schema, options), two: await open(schema, options) };
}

async function until(holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  for (const end = performance.now() + ms; !(await holds()); ) {
    if (performance.now() > end) throw new Error("It did not come about");
    await sleep(20);
  }
}

const session = (name: string) => ({ sessionKey: `agent:main:${name}` });

async function rowsOf(schema: string): Promise<Record<string, string>> {
  const rows = await query(server.url, `select id, state from "${schema}".messages order by id`);
  return Object.fromEntries(rows.map(({ id, state }) => [id, state])) as Record<string, string>;
}

describe.skipIf(started === undefined)("a server that is away for a while", () => {
  it("gets what was said meanwhile and causes one alarm", async () => {
    const schema = server.schema();
    const pool = new pg.Pool({ connectionString: server.url });
    const { ledger, alarms } = await open(schema, { pool });
    expect(await ledger.take(messageOf("before", session("a")))).toBe("taken");
    expect(await ledger.take(messageOf("dying", session("d")))).toBe("taken");
    await server.halt();
    ledger.delivered("before", 1);
    ledger.dead("dying", 3, "no");
    ledger.setCursor("place", "here");
    const solicited = ledger.solicit("run:own", Date.now() + 60_000);
    await until(() => alarms.length > 0);
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    await expect(ledger.deadLetters()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    expect(await ledger.claim(10)).toEqual([]);
    const taken = ledger.take(messageOf("meanwhile", session("a")));
    const again = ledger.take(messageOf("meanwhile", session("a")));
    expect(await taken, "after five seconds, from memory").toBe("taken");
    expect(await again).toBe("known");
    expect(await ledger.take(messageOf("later", session("b"))), "at once from then on").toBe("taken");
    ledger.delivered("meanwhile", 1);
    expect(alarms).toEqual([expect.objectContaining({ code: "ERR_INBOX_LEDGER" })]);
    await server.resume();
    await until(() => alarms.length > 1);
    expect(alarms.at(-1)).toBeUndefined();
    await ledger.flush();
    await solicited;
    expect(await rowsOf(schema)).toEqual({
      before: "delivered",
      dying: "dead",
      meanwhile: "delivered",
      later: "taken",
    });
    expect(await ledger.cursor("place")).toBe("here");
    expect(await ledger.take(messageOf("own"))).toBe("solicited");
    await ledger.close();
    await pool.end();
    expect(alarms).toHaveLength(2);
  }, 60_000);

  it("answers a take that waits through a short restart", async () => {
    // A busy machine may take longer to start a server than a message waits for it.
    const clock: Clock = {
      ...systemClock,
      setTimeout: (callback, ms, keepAlive) => systemClock.setTimeout(callback, ms < 5_000 ? ms : 60_000, keepAlive),
    };
    const { one, two } = await openTwo({ clock });
    await server.halt();
    const answers = ["x", "y", "z"].flatMap((id) =>
      [one, two].map(async ({ ledger }) => ledger.take(messageOf(id, session(id)))),
    );
    await server.resume();
    const told = await Promise.all(answers);
    expect(told.filter((answer) => answer === "taken")).toHaveLength(3);
    expect(told.filter((answer) => answer === "known")).toHaveLength(3);
    await one.ledger.close();
    await two.ledger.close();
  }, 60_000);

  it("takes no message from an inbox that returns after a restart", async () => {
    const { schema, one, two } = await openTwo();
    await one.ledger.take(messageOf("a"));
    await server.halt();
    await server.resume();
    await until(() => one.alarms.length === 2 && two.alarms.length === 2);
    expect(await two.ledger.claim(10)).toEqual([]);
    expect(one.ledger.holds?.("a")).toBe(true);
    one.ledger.delivered("a", 1);
    await one.ledger.flush();
    expect(await rowsOf(schema)).toEqual({ a: "delivered" });
    await one.ledger.close();
    await two.ledger.close();
  }, 60_000);

  it("lets a ledger close while it is away", async () => {
    const { ledger, alarms } = await open(server.schema());
    await server.halt();
    ledger.setCursor("place", "here");
    await until(() => alarms.length > 0);
    await ledger.close();
    const unopened = postgresLedger({ connectionString: server.url, schema: server.schema() });
    const opening = unopened.open({
      clock: systemClock,
      ordering: "session",
      onAlarm() {},
      onDamage() {},
      onClaimable() {},
    });
    const refused = opening.catch((error: unknown) => error);
    await unopened.close();
    expect(await refused).toMatchObject({ code: "ERR_INBOX_LEDGER" });
    await postgresLedger({ connectionString: server.url }).close();
    await server.resume();
  }, 60_000);

  it("is waited for when it is not there yet", async () => {
    await server.halt();
    const opening = open(server.schema());
    await server.resume();
    const { ledger } = await opening;
    expect(await ledger.take(messageOf("a"))).toBe("taken");
    await ledger.close();
  }, 60_000);
});

describe.skipIf(started === undefined)("a lease", () => {
  /** Ends the connections of a schema's ledgers, all or the one that holds the lock of a life. */
  async function breakConnections(which: "life" | "all"): Promise<void> {
    const life = "and pid in (select pid from pg_locks where locktype = 'advisory')";
    await query(
      server.url,
      `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name = 'openclaw-inbox' ${which === "life" ? life : ""}`,
    );
  }

  it.each(["life", "all"] as const)(
    "is taken again when its connection is lost (%s)",
    async (which) => {
      const schema = server.schema();
      const one = await open(schema);
      await one.ledger.take(messageOf("a"));
      await breakConnections(which);
      await until(() => one.alarms.length === 2);
      expect(one.ledger.holds?.("a")).toBe(true);
      expect(await one.ledger.take(messageOf("b"))).toBe("taken");
      one.ledger.delivered("a", 1);
      await one.ledger.flush();
      expect(await rowsOf(schema)).toEqual({ a: "delivered", b: "taken" });
      await one.ledger.close();
    },
    60_000,
  );

  it("stays its own when its connection does not answer for a while", async () => {
    const { schema, one, two } = await openTwo();
    await one.ledger.take(messageOf("a"));
    const rows = await query(
      server.url,
      `select l.pid from pg_locks l where l.locktype = 'advisory' and l.objid::bigint = (select min(id::bigint) from "${schema}".instances)`,
    );
    const [pid] = rows.map((row) => Number(row["pid"])) as [number];
    // As when the network drops what is sent: the connection is there, and nothing comes.
    process.kill(pid, "SIGSTOP");
    try {
      await until(() => one.alarms.length === 2);
      expect(await one.ledger.take(messageOf("b"))).toBe("taken");
      expect(await two.ledger.claim(10)).toEqual([]);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    // The server lets go of the old connection; by then the new one holds the lock, or is about to.
    await sleep(3_000);
    expect(await two.ledger.claim(10)).toEqual([]);
    one.ledger.delivered("a", 1);
    one.ledger.delivered("b", 1);
    await one.ledger.flush();
    expect(await rowsOf(schema)).toEqual({ a: "delivered", b: "delivered" });
    await one.ledger.close();
    await two.ledger.close();
  }, 60_000);

  it("says what another has taken and ignores reports on that", async () => {
    const { schema, one, two } = await openTwo();
    await one.ledger.take(messageOf("a"));
    await one.ledger.take(messageOf("b"));
    one.ledger.delivered("b", 1);
    await one.ledger.flush();
    // As if it could not have been seen to live for long.
    const [, other] = await query(server.url, `select id from "${schema}".instances order by id::int`);
    await query(server.url, `update "${schema}".messages set owner = $1 where state = 'taken'`, [other?.["id"]]);
    await breakConnections("all");
    await until(() => one.alarms.length === 2 && two.alarms.length === 2);
    expect(one.ledger.holds?.("a")).toBe(false);
    one.ledger.delivered("a", 1);
    await one.ledger.flush();
    expect(await rowsOf(schema)).toEqual({ a: "taken", b: "delivered" });
    const deliver = one.ledger.transactional(() => expect.unreachable());
    await expect(deliver(messageOf("a"), { attempt: 1, signal: new AbortController().signal })).rejects.toMatchObject({
      code: "ERR_INBOX_LEASE",
    });
    await one.ledger.close();
    await two.ledger.close();
  }, 60_000);
});
