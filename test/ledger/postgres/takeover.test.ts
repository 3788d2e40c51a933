import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kit/clock.ts";
import { type PostgresLedger, postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { query, usePostgres } from "../../helpers/postgres.ts";

const postgres = await usePostgres("TAKING OVER FROM HOSTS THAT DIE");
const url = postgres?.url as string;
const program = fileURLToPath(new URL("./host-process.ts", import.meta.url));
afterAll(() => postgres?.stop());

describe.skipIf(postgres === undefined)("a host that dies", () => {
  let schema: string;
  let ledger: PostgresLedger;
  let claimable: () => void;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    schema = postgres?.schema() as string;
    ledger = postgresLedger({ connectionString: url, schema });
    await ledger.open({
      clock: systemClock,
      ordering: "session",
      onAlarm() {},
      onDamage() {},
      onClaimable: () => claimable(),
    });
    claimable = () => {};
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await ledger.close();
  });

  async function startHost(...before: string[]): Promise<ChildProcess> {
    const [command = "", ...args] = [
      ...before,
      process.execPath,
      "--import",
      "tsx",
      program,
      JSON.stringify({ url, schema }),
    ];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await heard(child, "ready");
    return child;
  }

  async function heard(child: ChildProcess, word: string): Promise<void> {
    for (;;) {
      const [text] = await once(child.stdout as NodeJS.ReadableStream, "data");
      if (String(text).includes(word)) return;
    }
  }

  /** Claims when told that there may be something. Resolves with the ids and how long it took. */
  async function takeOver(): Promise<{ readonly ids: readonly string[]; readonly ms: number }> {
    const begun = performance.now();
    for (;;) {
      const told = new Promise<void>((resolve) => {
        claimable = resolve;
      });
      await told;
      const claimed = await ledger.claim(10);
      if (claimed.length > 0) return { ids: claimed.map(({ message }) => message.id), ms: performance.now() - begun };
    }
  }

  // A machine that is busy with other tests may be late.
  it("by kill -9 loses its messages to another within two seconds", { retry: 2 }, async () => {
    const child = await startHost();
    child.kill("SIGKILL");
    const { ids, ms } = await takeOver();
    expect(ids).toEqual(["a", "b"]);
    expect(ms).toBeLessThan(2_000);
  });

  it("as a zombie loses its messages to another", async () => {
    // The shell becomes a program that never waits: its child stays a zombie.
    const host = await startHost("sh", "-c", '"$@" & exec tail -f /dev/null', "sh");
    const rows = await query(url, `select about from ${schema}.instances order by id::int desc limit 1`);
    const pid = Number(String(rows[0]?.["about"]).split(" ").at(-1));
    expect(pid).not.toBe(host.pid);
    process.kill(pid, "SIGKILL");
    expect((await takeOver()).ids).toEqual(["a", "b"]);
    // It is still in the process table.
    expect(() => process.kill(pid, 0)).not.toThrow();
  });

  it("as a worker thread loses its messages while its process lives", async () => {
    const worker = new Worker(program, { workerData: { url, schema }, execArgv: ["--import", "tsx"] });
    await once(worker, "message");
    await worker.terminate();
    expect((await takeOver()).ids).toEqual(["a", "b"]);
  });

  it("is none that stands still", async () => {
    const child = await startHost();
    child.kill("SIGSTOP");
    // Longer than it takes to see that somebody is dead.
    await sleep(3_000);
    expect(await ledger.claim(10)).toEqual([]);
    const flushed = heard(child, "flushed");
    child.kill("SIGCONT");
    child.kill("SIGUSR2");
    await flushed;
    child.kill("SIGKILL");
    expect((await takeOver()).ids).toEqual(["b"]);
  });
});

describe.skipIf(postgres === undefined)("a schema that is dropped while it is in use", () => {
  it("raises an alarm and is created anew with what is not delivered", async () => {
    const schema = postgres?.schema() as string;
    const alarms: unknown[] = [];
    const ledger = postgresLedger({ connectionString: url, schema });
    await ledger.open({
      clock: systemClock,
      ordering: "session",
      onAlarm: (error) => alarms.push(error),
      onDamage() {},
      onClaimable() {},
    });
    await query(url, `drop schema ${schema} cascade`);
    ledger.setCursor("place", "here");
    await expect.poll(() => alarms.length).toBe(2);
    expect(alarms).toEqual([expect.objectContaining({ code: "ERR_INBOX_LEDGER" }), undefined]);
    expect(await ledger.cursor("place")).toBe("here");
    await ledger.close();
  });

  it("counts, names and keeps an unreadable message", async () => {
    const schema = postgres?.schema() as string;
    const told: unknown[] = [];
    const ledger = postgresLedger({ connectionString: url, schema });
    await ledger.open({
      clock: systemClock,
      ordering: "session",
      onAlarm: () => expect.unreachable(),
      onDamage: ({ message }, messages) => told.push({ message, messages }),
      onClaimable() {},
    });
    await query(
      url,
      `insert into ${schema}.messages (id, gateway, session_key, lane, run_id, state, owner, taken_at, changed_at, body)
      values ('odd', 'home', 'key', 'lane', 'run', 'taken', '', 0, 0, '{"id": 5}')`,
    );
    expect(await ledger.claim(10)).toEqual([]);
    expect(await ledger.deadLetters()).toEqual([]);
    expect(await ledger.deadLetter("odd")).toBeUndefined();
    expect(told).toEqual([{ message: expect.stringContaining("odd"), messages: 1 }]);
    expect(await query(url, `select state, body->>'id' as id from ${schema}.messages`)).toEqual([
      { state: "dead", id: "5" },
    ]);
    await ledger.close();
  });

  it("keeps a message that comes back to it while it looks whose it is", async () => {
    const schema = postgres?.schema() as string;
    const pool = new pg.Pool({ connectionString: url });
    const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
    let whileLooking = async () => {};
    // What is answered to the question whose a message is has been overtaken by the time it is read.
    pool.connect = (async () => {
      const client = await connect();
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      client.query = (async (...args: unknown[]) => {
        const answer = await query(...args);
        if (String(args[0]).startsWith("select state, owner")) await whileLooking();
        return answer;
      }) as typeof client.query;
      return client;
    }) as typeof pool.connect;
    const ledger = postgresLedger({ pool, schema });
    await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
    await ledger.take(messageOf("a"));
    const deliver = ledger.transactional(async (_, { client }) => client.query("select 1"));
    // As when it was taken for dead.
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    await admin.query(`update ${schema}.messages set owner = ''`);
    whileLooking = async () => {
      whileLooking = async () => {};
      // It is being delivered here, so it is not handed over once more.
      expect(await ledger.claim(10)).toEqual([]);
    };
    const attempt = () => deliver(messageOf("a"), { attempt: 1, signal: new AbortController().signal });
    await expect(attempt()).rejects.toMatchObject({ code: "ERR_INBOX_LEDGER" });
    expect(ledger.holds?.("a")).toBe(true);
    await attempt();
    expect((await admin.query(`select state from ${schema}.messages`)).rows).toEqual([{ state: "delivered" }]);
    await admin.end();
    await ledger.close();
    await pool.end();
  });
});
