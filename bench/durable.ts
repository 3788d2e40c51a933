import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Queue, Worker } from "bullmq";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { PgBoss } from "pg-boss";
import { createInbox, createMemoryLedger, createSqliteLedger, type Ledger, type SourceListener } from "../src/index.ts";
import { postgresLedger } from "../src/ledger/postgres/postgres.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";

/** What to measure in one process. */
export interface DurableTask {
  readonly rival: DurableRival;
  readonly sessions: number;
  readonly chars: number;
  /** How long it works, at least, after a second to warm up. */
  readonly ms: number;
  /** Of the Redis or Postgres that the rival needs. */
  readonly url?: string;
}

export type DurableRival = keyof typeof rivals;

interface Said {
  readonly id: string;
  readonly session: string;
  readonly text: string;
}

/** A rival: it stores messages, gives each to a handler, and records that. */
interface Keeper {
  /** Resolves when all are handled and, unless there is a `flush`, recorded. */
  say(messages: readonly Said[]): Promise<void>;
  /** Resolves when all handled messages are recorded. */
  flush?(): Promise<void>;
  close(): Promise<unknown>;
}

type Open = (handler: (text: string) => void, task: DurableTask, folder: string) => Promise<Keeper>;

/** The same as an inbox's `concurrency`. */
const CONCURRENCY = 16;
/** So many messages come at once, twice at the same time; the next come when these are done. */
const BURST = 250;
const BURSTS = 2;
const WARM_UP_MS = 1_000;

const rivals = {
  "inbox, in memory": async (handler) => openInbox(createMemoryLedger(), handler),
  "inbox, file": async (handler, _task, folder) => openInbox(createSqliteLedger(join(folder, "inbox.db")), handler),
  "inbox, Postgres": async (handler, { url = "" }) =>
    openInbox(postgresLedger({ connectionString: url, schema: `bench_${process.pid}` }), handler),
  "BullMQ, everysec": openBullMq,
  "BullMQ, always": openBullMq,
  "graphile-worker": openGraphileWorker,
  "pg-boss": openPgBoss,
  "bare fdatasync": openFile,
  "bare SQLite": openSqlite,
  "bare Postgres": openPostgres,
} satisfies Record<string, Open>;

/** The cost of a message, from its arrival to the record that its handler has returned. */
export async function measureDurable(task: DurableTask): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), "inbox-durable-"));
  const text = "x".repeat(task.chars);
  let handled = 0;
  const handler = (given: string) => {
    if (given !== text) throw new Error("The wrong text");
    handled += 1;
  };
  const keeper = await rivals[task.rival](handler, task, folder);
  const stopwatch = new Stopwatch();
  let said = 0;
  let measured = 0;
  const burst = () =>
    Array.from({ length: BURST }, () => {
      said += 1;
      return { id: `run-${said}`, session: `agent:main:${said % task.sessions}`, text };
    });
  for (const ms of [WARM_UP_MS, task.ms]) {
    stopwatch.reset();
    const before = said;
    const until = performance.now() + ms;
    const sayOn = async () => {
      do await keeper.say(burst());
      while (performance.now() < until);
    };
    await stopwatch.time(async () => {
      await Promise.all(Array.from({ length: BURSTS }, sayOn));
      await keeper.flush?.();
    });
    measured = said - before;
  }
  if (handled !== said) throw new Error(`${handled} of ${said} messages were handled`);
  await keeper.close();
  rmSync(folder, { recursive: true, force: true });
  return stopwatch.per(measured);
}

async function openInbox(ledger: Ledger, handler: (text: string) => void): Promise<Keeper> {
  let listener: SourceListener | undefined;
  const inbox = createInbox({
    ledger,
    concurrency: CONCURRENCY,
    source: {
      name: "default",
      open(opened) {
        listener = opened;
        opened.link({ type: "connect" });
        opened.link({ type: "hello" });
      },
      async close() {},
    },
    deliver: ({ text }) => handler(text),
  });
  await inbox.start();
  const delivered = createCount();
  inbox.deliveries$.subscribe(() => delivered.add());
  return {
    async say(messages) {
      const all = delivered.reaches(messages.length);
      for (const message of messages) listener?.frame(frameOf(message));
      await all;
    },
    flush: () => ledger.flush(),
    close: () => inbox.stop(),
  };
}

/** As the wire has it: making it is the Gateway's work, so it is made at little cost. */
function frameOf({ id, session, text }: Said): string {
  return `{"type":"event","event":"chat","payload":{"runId":"${id}","sessionKey":"${session}","seq":1,"state":"final","message":{"content":"${text}"}}}`;
}

/** Counts what was recorded, and lets a caller wait for a number. */
function createCount() {
  let count = 0;
  let expected = 0;
  const waiting: { readonly until: number; readonly done: () => void }[] = [];
  return {
    add() {
      count += 1;
      while (count >= (waiting[0]?.until ?? Number.POSITIVE_INFINITY)) waiting.shift()?.done();
    },
    reaches(more: number): Promise<void> {
      expected += more;
      return new Promise((done) => waiting.push({ until: expected, done }));
    },
  };
}

async function openBullMq(handler: (text: string) => void, { url = "" }: DurableTask): Promise<Keeper> {
  const connection = { url };
  const name = `bench-${process.pid}`;
  const queue = new Queue<Said>(name, { connection, defaultJobOptions: { removeOnComplete: { age: 86_400 } } });
  const work = async ({ data }: { readonly data: Said }) => handler(data.text);
  const worker = new Worker<Said>(name, work, { connection, concurrency: CONCURRENCY });
  const recorded = createCount();
  worker.on("completed", () => recorded.add());
  await worker.waitUntilReady();
  return {
    async say(messages) {
      const all = recorded.reaches(messages.length);
      await Promise.all(messages.map((message) => queue.add("message", message, { jobId: `job-${message.id}` })));
      await all;
    },
    async close() {
      await worker.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

async function openGraphileWorker(handler: (text: string) => void, { url = "" }: DurableTask): Promise<Keeper> {
  const pgPool = new pg.Pool({ connectionString: url, max: CONCURRENCY + 2 });
  // Without this listener the pool prints a warning.
  pgPool.on("error", () => {});
  const options = { pgPool, schema: `bench_graphile_${process.pid}`, logger: new Logger(() => () => {}) };
  const utils = await makeWorkerUtils(options);
  await utils.migrate();
  const taskList = { message: async (payload: unknown) => handler((payload as Said).text) };
  const runner = await run({
    ...options,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    pollInterval: 100,
    taskList,
  });
  const recorded = createCount();
  runner.events.on("job:complete", () => recorded.add());
  const kept = `select 1 from "${options.schema}"._private_jobs limit 1`;
  return {
    async say(messages) {
      const all = recorded.reaches(messages.length);
      // One queue per session keeps its order.
      await Promise.all(
        messages.map((message) => utils.addJob("message", message, { queueName: message.session, jobKey: message.id })),
      );
      await all;
    },
    // It reports a job as complete before it deletes the job's row.
    async flush() {
      while ((await pgPool.query(kept)).rowCount !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    async close() {
      await runner.stop();
      await utils.release();
      await pgPool.query(`drop schema "${options.schema}" cascade`);
      await pgPool.end();
    },
  };
}

async function openPgBoss(handler: (text: string) => void, { url = "" }: DurableTask): Promise<Keeper> {
  const schema = `bench_boss_${process.pid}`;
  const boss = new PgBoss({ connectionString: url, schema, max: CONCURRENCY, supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue("message");
  const handled = createCount();
  const options = { batchSize: BURST, pollingIntervalSeconds: 0.5 };
  const worker = await boss.work<Said>("message", options, async (jobs) => {
    for (const { data } of jobs) {
      handler(data.text);
      handled.add();
    }
  });
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const open = `select 1 from "${schema}".job where name = 'message' and state <> 'completed' limit 1`;
  return {
    async say(messages) {
      const all = handled.reaches(messages.length);
      await Promise.all(messages.map((message) => boss.send("message", message)));
      // Without this it would look for jobs only twice per second.
      boss.notifyWorker(worker);
      await all;
      while ((await pool.query(open)).rowCount !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.query(`drop schema "${schema}" cascade`);
      await pool.end();
    },
  };
}

/** Writes a message twice, and waits for the disk each time. This is the best that a disk can do for one writer. */
async function openFile(handler: (text: string) => void, _task: DurableTask, folder: string): Promise<Keeper> {
  const file = openSync(join(folder, "log"), "a");
  return {
    async say(messages) {
      for (const message of messages) {
        writeSync(file, JSON.stringify(message));
        fdatasyncSync(file);
        handler(message.text);
        writeSync(file, message.id);
        fdatasyncSync(file);
      }
    },
    close: async () => closeSync(file),
  };
}

/** One insert and one update per message, each in a transaction that is flushed to disk. */
async function openSqlite(handler: (text: string) => void, _task: DurableTask, folder: string): Promise<Keeper> {
  const db = new DatabaseSync(join(folder, "bare.db"));
  db.exec("pragma journal_mode = wal; pragma synchronous = full");
  db.exec("create table messages (id text primary key, session text, state text, body text)");
  const insert = db.prepare("insert into messages values (?, ?, 'taken', ?)");
  const update = db.prepare("update messages set state = 'delivered', body = null where id = ?");
  return {
    async say(messages) {
      for (const { id, session, text } of messages) {
        insert.run(id, session, text);
        handler(text);
        update.run(id);
      }
    },
    close: async () => db.close(),
  };
}

/** The same in Postgres, over as many connections as an inbox has attempts. */
async function openPostgres(handler: (text: string) => void, { url = "" }: DurableTask): Promise<Keeper> {
  const pool = new pg.Pool({ connectionString: url, max: CONCURRENCY });
  const table = `bench_bare_${process.pid}`;
  await pool.query(`create table ${table} (id text primary key, session text, state text, body text)`);
  const insert = { name: "insert", text: `insert into ${table} values ($1, $2, 'taken', $3)` };
  const update = { name: "update", text: `update ${table} set state = 'delivered', body = null where id = $1` };
  return {
    async say(messages) {
      const one = async ({ id, session, text }: Said) => {
        await pool.query({ ...insert, values: [id, session, text] });
        handler(text);
        await pool.query({ ...update, values: [id] });
      };
      await Promise.all(messages.map(one));
    },
    async close() {
      await pool.query(`drop table ${table}`);
      await pool.end();
    },
  };
}
