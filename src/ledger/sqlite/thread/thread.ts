import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { inodeOf } from "./inode.ts";
import type { locksOf } from "./locks.ts";
import type { mendLog } from "./mend-log.ts";
import type {
  Job,
  JobResult,
  Repair,
  Step,
  ThreadAnswer,
  ThreadData,
  ThreadError,
  ThreadRequest,
  ThreadStatement,
} from "./messages.ts";
import type { readDamaged } from "./read-damaged.ts";
import type { repair } from "./repair.ts";

/** The parts of the thread. */
export interface ThreadParts {
  readonly inodeOf: typeof inodeOf;
  readonly locksOf: typeof locksOf;
  readonly mendLog: typeof mendLog;
  readonly readDamaged: typeof readDamaged;
  readonly repair: typeof repair;
}

/**
 * The thread that works on the ledger file. All disk work is here, so that it does not block the host's event loop. It
 * knows SQL, locks and files, but nothing about messages; it gets statements.
 *
 * It runs from its own source text (`new Worker(text, { eval: true })`), so that it works in a bundle, too. So nothing
 * in it may refer to anything outside. It has no named inner functions, because bundlers wrap those in a helper of
 * theirs.
 */
export function threadMain(parts: ThreadParts): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
  const fs = process.getBuiltinModule("node:fs");
  const data = workerData as ThreadData;
  const locks = parts.locksOf(data, parts.inodeOf);
  const port = parentPort as NonNullable<typeof parentPort>;
  /** How many times an instance that finds a damaged file waits for others. */
  const STEPS_ASIDE = 10;

  const thread = {
    db: undefined as DatabaseSync | undefined,
    statements: new Map<string, StatementSync>(),
    /** Identifies the file on its disk. */
    inode: "",
    /** The file's header marks it as a ledger. */
    isOurs: false,
    /** Changes whenever another connection has written. */
    dataVersion: 0,
    timers: [] as NodeJS.Timeout[],
    /** The damage in the file when it was opened. */
    repair: undefined as Repair | undefined,
    /** Jobs that were written since the last checkpoint. */
    written: 0,
    /**
     * Set from a failed write until the host asks to `mend`. What could not be written is only in the host's memory, and
     * later jobs may depend on it. So nothing is written in this time.
     */
    broken: undefined as ThreadError | undefined,

    answer(request: ThreadRequest): ThreadAnswer {
      try {
        switch (request.ask) {
          case "open":
            thread.open(request.now);
            return { answer: "done", results: [], ...(thread.repair && { repair: thread.repair }) };
          case "run":
            return { answer: "done", results: thread.run(request.jobs) };
          case "mend":
            thread.mend(request.now);
            return { answer: "done", results: [] };
          case "close":
            thread.close();
            return { answer: "done", results: [] };
        }
      } catch (error) {
        return { answer: "failed", error: thread.errorOf(error) };
      }
    },

    errorOf(error: unknown): ThreadError {
      const {
        errcode = 0,
        problem = "failed",
        message,
      } = error as { errcode?: number; problem?: "failed"; message: string };
      return { problem, code: errcode, text: String(message) };
    },

    /** An error with one of our names for the problem. */
    problem(problem: ThreadError["problem"], text: string): Error {
      return Object.assign(new Error(text), { problem });
    },

    open(now: number): void {
      try {
        locks.open();
        thread.openWhole();
        thread.inTransaction(() => thread.all("register", [data.id, now, data.about]));
        thread.sweep();
      } catch (error) {
        thread.letGo();
        throw error;
      }
      thread.timers = [
        setInterval(() => thread.quietly(() => thread.poll()), data.pollMs),
        setInterval(() => thread.quietly(() => thread.sweep()), data.sweepMs),
      ];
    },

    /**
     * Opens the file. If it is damaged and nobody else has it open, it is replaced by one with everything that can be
     * read.
     */
    openWhole(): void {
      for (let left = STEPS_ASIDE; !thread.openAlone(left === 0); left -= 1) {
        // Others that start at the same time do this, too, and wait for different times.
        locks.close();
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + Math.random() * 200);
        locks.open();
      }
    },

    /** Returns false when the file is damaged and others have it open, who may close it soon. */
    openAlone(isLastTry: boolean): boolean {
      const logFile = `${data.file}-wal`;
      if (parts.mendLog(logFile) !== undefined) {
        if (!locks.hasOthers()) {
          // Read again, because others may have written to it.
          const log = parts.mendLog(logFile);
          log?.save();
          if (log !== undefined) thread.repair = { log: { mended: log.mended, damaged: log.damaged } };
        } else if (!isLastTry) return false;
      }
      try {
        thread.openFile();
        if (thread.isWhole()) return true;
      } catch (error) {
        if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 11 || !thread.isOurs) throw error;
      }
      const db = thread.db as DatabaseSync;
      if (locks.hasOthers()) {
        thread.quietly(() => db.close());
        thread.db = undefined;
        if (isLastTry) throw Object.assign(new Error("another inbox has it open"), { errcode: 11 });
        return false;
      }
      thread.statements.clear();
      thread.repair = { ...thread.repair, file: parts.repair(data, db, parts.readDamaged(db)) };
      thread.openFile();
      return true;
    },

    /**
     * Whether rows and indices agree. The check takes a second for about 200 MB, so larger files are left to
     * `ledger check`.
     */
    isWhole(): boolean {
      const isLogWhole = (thread.repair?.log?.damaged ?? 0) === 0;
      if (isLogWhole && fs.statSync(data.file).size > data.maxCheckedBytes) return true;
      const db = thread.db as DatabaseSync;
      const [row] = db.prepare("pragma integrity_check(1)").all() as { integrity_check: string }[];
      return row?.integrity_check === "ok";
    },

    openFile(): void {
      thread.isOurs = false;
      const isNew = parts.inodeOf(data.file) === "";
      const db = new Database(data.file);
      thread.db = db;
      db.exec(`pragma busy_timeout = ${data.busyMs}`);
      // An empty file is a new one, too: another process may have created it and been killed before the next line.
      const { application_id: id } = db.prepare("pragma application_id").get() as { application_id: number };
      const { count } = db.prepare("select count(*) as count from sqlite_schema").get() as { count: number };
      if (id !== data.applicationId && (id !== 0 || count > 0)) throw thread.problem("foreign", "");
      thread.isOurs = true;
      if (isNew) fs.chmodSync(data.file, 0o600);
      thread.inode = parts.inodeOf(data.file);
      db.exec(
        "pragma synchronous = full; pragma cell_size_check = on; pragma mmap_size = 0; pragma trusted_schema = off",
      );
      const { journal_mode: mode } = db.prepare("pragma journal_mode = wal").get() as { journal_mode: string };
      if (mode !== "wal") throw thread.problem("failed", `its disk does not do write-ahead logging (got ${mode})`);
      // `checkpoint` does this when nobody waits for an answer. SQLite does it only when the log gets this long.
      db.exec("pragma journal_size_limit = 67108864; pragma wal_autocheckpoint = 8000");
      thread.migrate(db);
      thread.checkSchema(db);
      thread.dataVersion = thread.readDataVersion();
    },

    /** The table definitions are text in the file. A damaged definition may still be valid, but mean something else. */
    checkSchema(db: DatabaseSync): void {
      const rows = db.prepare("select sql from sqlite_schema").all() as { sql: string | null }[];
      const found = new Set(rows.map(({ sql }) => String(sql).replace(/^create (table|index) /i, "")));
      if (!data.schema.every((sql) => found.has(sql.replace(/^create (table|index) /i, ""))))
        throw Object.assign(new Error("a table's definition is damaged"), { errcode: 1 });
    },

    migrate(db: DatabaseSync): void {
      db.exec("begin immediate");
      try {
        const { user_version: version } = db.prepare("pragma user_version").get() as { user_version: number };
        if (version > data.version) throw thread.problem("newer", "");
        if (version === 0) {
          for (const sql of data.schema) db.exec(sql);
          db.exec(`pragma application_id = ${data.applicationId}; pragma user_version = ${data.version}`);
        }
        db.exec("commit");
      } catch (error) {
        thread.rollback();
        throw error;
      }
    },

    all(name: string, parameters: readonly SQLInputValue[]): Readonly<Record<string, unknown>>[] {
      const definition = data.statements[name] as ThreadStatement;
      let statement = thread.statements.get(name);
      if (statement === undefined) {
        statement = (thread.db as DatabaseSync).prepare(definition.sql);
        thread.statements.set(name, statement);
      }
      const values = definition.order.map((index) => parameters[index] as SQLInputValue);
      if (definition.reads) return statement.all(...values) as Readonly<Record<string, unknown>>[];
      statement.run(...values);
      return [];
    },

    job(job: Job): JobResult {
      let step = 0;
      for (const [name, parameters] of job) {
        const rows = thread.all(name, parameters);
        if (rows.length > 0) return thread.gave(step, rows);
        step += 1;
      }
      return thread.nothing;
    },

    // Most jobs of a batch have the same result. As one object it is copied to the host only once.
    nothing: { step: -1, rows: [] } as JobResult,
    same: { step: -1, rows: [] } as JobResult,

    /** A result with rows. If it is the same owner as in the last result, it is the same object. */
    gave(step: number, rows: JobResult["rows"]): JobResult {
      const owner = rows.length === 1 ? rows[0]?.["owner"] : undefined;
      const { same } = thread;
      if (owner === undefined) return { step, rows };
      if (same.step !== step || same.rows[0]?.["owner"] !== owner) thread.same = { step, rows };
      return thread.same;
    },

    rollback(): void {
      if (thread.db?.isTransaction === true) thread.db.exec("rollback");
    },

    inTransaction<T>(work: () => T): T {
      const db = thread.db as DatabaseSync;
      db.exec("begin immediate");
      try {
        const result = work();
        db.exec("commit");
        return result;
      } catch (error) {
        thread.quietly(() => thread.rollback());
        throw error;
      }
    },

    quietly(work: () => void): void {
      try {
        work();
      } catch {
        // The next write reports the problem.
      }
    },

    /** Nothing may be written to a file that is gone, because that would be lost with this process. */
    assertInPlace(): void {
      if (parts.inodeOf(data.file) !== thread.inode) throw thread.problem("moved", "");
    },

    changes(job: Job): boolean {
      return job.some(([name]) => (data.statements[name] as ThreadStatement).changes);
    },

    coversEarlier(job: Job): boolean {
      return job.some(([name]) => (data.statements[name] as ThreadStatement).coversEarlier);
    },

    /** Runs all jobs in one transaction. If that fails, it runs them one by one. */
    run(jobs: readonly Job[]): JobResult[] {
      if (thread.broken !== undefined || !jobs.some((job) => thread.changes(job))) return thread.runOneByOne(jobs);
      try {
        thread.assertInPlace();
        const results = thread.inTransaction(() => jobs.map((job) => thread.job(job)));
        thread.written += jobs.length;
        if (results.some(({ rows }) => rows[0]?.["owner"] === ""))
          setImmediate(() => thread.quietly(() => thread.tellClaimable()));
        return results;
      } catch (error) {
        const failure = thread.errorOf(error);
        // A damaged page affects only jobs that need it. A full disk affects all.
        if (failure.code % 256 !== 11 && failure.code % 256 !== 1) thread.broken = failure;
        return thread.runOneByOne(jobs);
      }
    },

    runOneByOne(jobs: readonly Job[]): JobResult[] {
      let damage: ThreadError | undefined;
      const results = jobs.map((job) => {
        const changes = thread.changes(job);
        try {
          if (!changes) return thread.job(job);
          const earlier = thread.broken ?? (thread.coversEarlier(job) ? damage : undefined);
          if (earlier === undefined) return thread.inTransaction(() => thread.job(job));
          return { ...thread.lastRead(job), error: earlier };
        } catch (error) {
          const failure = thread.errorOf(error);
          if (changes && failure.code % 256 === 11) damage ??= failure;
          else if (changes) thread.broken = failure;
          return { ...thread.lastRead(job), error: failure };
        }
      });
      thread.broken ??= damage;
      return results;
    },

    /** Rows that can be read are useful even when nothing can be written. */
    lastRead(job: Job): JobResult {
      const [name, parameters] = job.at(-1) as Step;
      let rows: readonly Readonly<Record<string, unknown>>[] = [];
      if (!(data.statements[name] as ThreadStatement).changes) {
        thread.quietly(() => {
          rows = thread.all(name, parameters);
        });
      }
      return { step: job.length - 1, rows };
    },

    /** Copies the log into the file after a number of jobs. It does so after their answer, so that nobody waits. */
    checkpoint(): void {
      if (thread.written < data.checkpointJobs) return;
      thread.written = 0;
      thread.quietly(() => thread.db?.exec("pragma wal_checkpoint(passive)"));
    },

    readDataVersion(): number {
      const row = (thread.db as DatabaseSync).prepare("pragma data_version").get() as { data_version: number };
      return row.data_version;
    },

    poll(): void {
      const version = thread.readDataVersion();
      if (version === thread.dataVersion) return;
      thread.dataVersion = version;
      thread.tellClaimable();
    },

    tellClaimable(): void {
      if (thread.all("isClaimable", [data.id]).length > 0)
        port.postMessage({ answer: "claimable" } satisfies ThreadAnswer);
    },

    /** Gives up what dead instances own, and what an unlisted instance owns. */
    sweep(): void {
      if (!locks.isInPlace()) locks.open();
      thread.assertInPlace();
      const listed = new Set(thread.all("instances", []).map(({ id }) => String(id)));
      // Steps from owner to owner, independent of the number of messages.
      for (
        let owner = "", rows = thread.all("nextOwner", [owner]);
        rows[0]?.["owner"] != null;
        rows = thread.all("nextOwner", [owner])
      ) {
        owner = String(rows[0]["owner"]);
        listed.add(owner);
      }
      listed.delete(data.id);
      let released = false;
      for (const id of listed) released = locks.bury(id, () => thread.release(id)) || released;
      if (released) thread.tellClaimable();
    },

    release(id: string): void {
      thread.inTransaction(() => {
        thread.all("release", [id]);
        thread.all("unregister", [id]);
      });
    },

    /**
     * Repairs the connection to the file after a problem. If the file was moved or deleted, it is created again from
     * what is still open. If another file is in its place, that one is used, if it is a ledger.
     */
    mend(now: number): void {
      thread.broken = undefined;
      if (parts.inodeOf(data.file) === thread.inode) return;
      const old = thread.db as DatabaseSync;
      const temporary = `${data.file}-new-${data.id}`;
      // The log of the lost file must not be used for the new one.
      for (const suffix of ["-wal", "-shm"]) fs.rmSync(data.file + suffix, { force: true });
      if (parts.inodeOf(data.file) === "") {
        fs.rmSync(temporary, { force: true });
        old.prepare("vacuum into ?").run(temporary);
        fs.chmodSync(temporary, 0o600);
        try {
          fs.linkSync(temporary, data.file);
        } finally {
          fs.rmSync(temporary, { force: true });
        }
      }
      const undelivered = old.prepare(data.statements["owned"]?.sql as string).all(data.id) as Readonly<
        Record<string, SQLInputValue>
      >[];
      thread.statements.clear();
      try {
        thread.openFile();
      } catch (error) {
        thread.quietly(() => thread.db?.close());
        thread.db = old;
        throw error;
      }
      thread.inTransaction(() => {
        thread.all("register", [data.id, now, data.about]);
        for (const row of undelivered) thread.all("copy", Object.values(row));
      });
      thread.quietly(() => old.close());
    },

    letGo(): void {
      for (const timer of thread.timers) clearInterval(timer);
      thread.statements.clear();
      thread.quietly(() => thread.db?.close());
      thread.db = undefined;
      thread.quietly(() => locks.close());
    },

    close(): void {
      try {
        thread.release(data.id);
      } finally {
        thread.letGo();
      }
    },
  };

  port.on("message", (request: ThreadRequest) => {
    port.postMessage(thread.answer(request));
    thread.checkpoint();
    if (request.ask === "close") port.close();
  });
}
