import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Readable } from "./read-damaged.ts";

/** What the thread is started with. */
export interface ThreadData {
  /** The ledger file, its real path. */
  readonly file: string;
  /** This instance's lock file. */
  readonly lock: string;
  /** The lock file of an instance is this and its id. */
  readonly locks: string;
  /** This instance, and what people should know of it. */
  readonly id: string;
  readonly about: string;
  /** By which the file is known to be ours. */
  readonly applicationId: number;
  readonly version: number;
  readonly schema: readonly string[];
  readonly statements: Readonly<Record<string, ThreadStatement>>;
  /** How long a write waits for another process's, in ms. */
  readonly busyMs: number;
  /** How often it is looked whether others wrote, and whether they live, in ms. */
  readonly pollMs: number;
  /** A larger file is not checked as it is opened, in bytes. */
  readonly maxCheckedBytes: number;
  readonly sweepMs: number;
}

/** A statement with `?` for each parameter. */
export interface ThreadStatement {
  readonly sql: string;
  /** Which parameter, from 0, stands at each `?`. */
  readonly order: readonly number[];
  /** It gives rows. */
  readonly reads: boolean;
  /** It changes the file. */
  readonly changes: boolean;
}

/** A statement by its name, and its parameters. */
export type Step = readonly [name: string, parameters: readonly SQLInputValue[]];

/** One thing to do: its steps in turn, until one gives rows. */
export type Job = readonly Step[];

/** What is asked of the thread; it answers each in turn. */
export type ThreadRequest =
  | { readonly ask: "open"; readonly now: number }
  | { readonly ask: "run"; readonly jobs: readonly Job[] }
  | { readonly ask: "mend"; readonly now: number }
  | { readonly ask: "close" };

/** Why something could not be done. `code`: SQLite's extended result code, or 0. */
export interface ThreadError {
  readonly problem: "foreign" | "newer" | "moved" | "failed";
  readonly code: number;
  readonly text: string;
}

/** What became of a job: the step that gave rows, and those; or why it failed. `rows` of a failed one: of its last step, where that could be read. */
export interface JobResult {
  readonly step: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly error?: ThreadError;
}

/** A damaged file was replaced by one with everything that could be read of it. */
export interface Repair {
  /** Where the damaged file is now. */
  readonly kept: string;
  /** Ids of messages that could not be read. */
  readonly lost: readonly string[];
}

export type ThreadAnswer =
  | { readonly answer: "done"; readonly results: readonly JobResult[]; readonly repair?: Repair }
  | { readonly answer: "failed"; readonly error: ThreadError }
  /** Not an answer: something can be claimed. */
  | { readonly answer: "claimable" };

/**
 * The thread that has the ledger file: all its disk work is here, off the host's event loop. It knows SQL, locks and files,
 * and nothing of messages: what to do comes as statements.
 *
 * It runs from its own source text (`new Worker(text, { eval: true })`), so that it is found in a bundle, too. So nothing
 * in it may refer to anything outside, and it has no named inner functions: bundlers wrap those in a helper of theirs.
 */
export function threadMain(readDamaged: (db: DatabaseSync) => Readable): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { DatabaseSync: Database } = process.getBuiltinModule("node:sqlite");
  const fs = process.getBuiltinModule("node:fs");
  const { basename, dirname } = process.getBuiltinModule("node:path");
  const data = workerData as ThreadData;
  const port = parentPort as NonNullable<typeof parentPort>;

  const thread = {
    db: undefined as DatabaseSync | undefined,
    lock: undefined as DatabaseSync | undefined,
    statements: new Map<string, StatementSync>(),
    /** Which file it is, on which disk. */
    inode: "",
    lockInode: "",
    /** The file said so, at its beginning. */
    isOurs: false,
    /** Changes whenever another connection has written. */
    dataVersion: 0,
    timers: [] as NodeJS.Timeout[],
    repair: undefined as Repair | undefined,

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

    /** A problem that has a name. */
    problem(problem: ThreadError["problem"], text: string): Error {
      return Object.assign(new Error(text), { problem });
    },

    // Never by opening: as a file of this process is closed, all locks of the process on it are gone.
    inodeOf(path: string): string {
      const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
      return stats === undefined ? "" : `${stats.dev} ${stats.ino}`;
    },

    open(now: number): void {
      try {
        thread.openLock();
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

    /** Opens the file; where it is damaged and nobody else has it open, one with all that can be read of it. */
    openWhole(): void {
      try {
        thread.openFile();
        if (thread.isWhole()) return;
      } catch (error) {
        if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 11 || !thread.isOurs) throw error;
      }
      thread.repairFile();
    },

    /** Whether rows and indices agree. That takes a second for some 200 MB, so larger files are left to `ledger check`. */
    isWhole(): boolean {
      if (fs.statSync(data.file).size > data.maxCheckedBytes) return true;
      const db = thread.db as DatabaseSync;
      const [row] = db.prepare("pragma integrity_check(1)").all() as { integrity_check: string }[];
      return row?.integrity_check === "ok";
    },

    isOthers(): boolean {
      const prefix = basename(data.locks);
      return fs.readdirSync(dirname(data.locks)).some((name) => {
        const path = `${dirname(data.locks)}/${name}`;
        if (!name.startsWith(prefix) || path === data.lock || !fs.statSync(path).isFile()) return false;
        let lock: DatabaseSync | undefined;
        try {
          lock = new Database(path);
          lock.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
          return false;
        } catch {
          return true;
        } finally {
          thread.quietly(() => lock?.close());
        }
      });
    },

    repairFile(): void {
      if (thread.isOthers()) throw Object.assign(new Error("another inbox has it open"), { errcode: 11 });
      const old = thread.db as DatabaseSync;
      const { ids, messages, bookmarks, solicited } = readDamaged(old);
      const temporary = `${data.file}-new-${data.id}`;
      const kept = `${data.file}-damaged-${data.id}`;
      fs.rmSync(temporary, { force: true });
      const db = new Database(temporary);
      db.exec("begin");
      for (const sql of data.schema) db.exec(sql);
      db.exec(`pragma application_id = ${data.applicationId}; pragma user_version = ${data.version}`);
      thread.fill(
        db,
        "messages",
        messages.map((row) => thread.repaired(row)),
      );
      thread.fill(db, "bookmarks", bookmarks);
      thread.fill(db, "solicited", solicited);
      db.exec("commit");
      const present = new Set((db.prepare("select id from messages").all() as { id: string }[]).map(({ id }) => id));
      const lost = [...ids].filter((id) => !present.has(id));
      db.close();
      thread.statements.clear();
      thread.quietly(() => old.close());
      for (const suffix of ["", "-wal"])
        if (thread.inodeOf(data.file + suffix) !== "") fs.renameSync(data.file + suffix, kept + suffix);
      fs.rmSync(`${data.file}-shm`, { force: true });
      fs.renameSync(temporary, data.file);
      fs.chmodSync(data.file, 0o600);
      thread.repair = { kept, lost };
      thread.openFile();
    },

    /** A row whose columns may hold anything, so that it fits. What was neither settled nor is empty is undelivered. */
    repaired(row: Readonly<Record<string, SQLInputValue>>): Readonly<Record<string, SQLInputValue>> {
      const state = String(row["state"]);
      const isKnown = state === "taken" || state === "delivered" || state === "dead";
      return {
        ...row,
        state: isKnown ? state : row["body"] === null ? "delivered" : "taken",
        attempts: Number(row["attempts"]) || 0,
        owner: "",
        taken_at: Number(row["taken_at"]) || 0,
        changed_at: Number(row["changed_at"]) || Date.now(),
      };
    },

    fill(db: DatabaseSync, table: string, rows: readonly Readonly<Record<string, SQLInputValue>>[]): void {
      for (const row of rows) {
        const names = Object.keys(row).filter((name) => name !== "rowid");
        const insert = db.prepare(`insert or ignore into ${table} (${names}) values (${names.map(() => "?")})`);
        const values = names.map((name) => row[name] as SQLInputValue);
        // One that does not fit is no reason to give up the others. A place that is taken already is a damaged one.
        thread.quietly(() => {
          if (insert.run(...values).changes === 0 && table === "messages")
            insert.run(...values.map((value, index) => (names[index] === "position" ? null : value)));
        });
      }
    },

    openFile(): void {
      thread.isOurs = false;
      const isNew = thread.inodeOf(data.file) === "";
      const db = new Database(data.file);
      thread.db = db;
      db.exec(`pragma busy_timeout = ${data.busyMs}`);
      // An empty file is a new one, too: it may have been made by somebody who was killed in the next line.
      const { application_id: id } = db.prepare("pragma application_id").get() as { application_id: number };
      const { count } = db.prepare("select count(*) as count from sqlite_schema").get() as { count: number };
      if (id !== data.applicationId && (id !== 0 || count > 0)) throw thread.problem("foreign", "");
      thread.isOurs = true;
      if (isNew) fs.chmodSync(data.file, 0o600);
      thread.inode = thread.inodeOf(data.file);
      db.exec(
        "pragma synchronous = full; pragma cell_size_check = on; pragma mmap_size = 0; pragma trusted_schema = off",
      );
      const { journal_mode: mode } = db.prepare("pragma journal_mode = wal").get() as { journal_mode: string };
      if (mode !== "wal") throw thread.problem("failed", `its disk does not do write-ahead logging (got ${mode})`);
      db.exec("pragma journal_size_limit = 67108864");
      thread.migrate(db);
      thread.checkSchema(db);
      thread.dataVersion = thread.readDataVersion();
    },

    /** The definitions of the tables are text in the file: a damaged one may still be a definition, of something else. */
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

    /**
     * The lock that says that this instance lives: an empty database that is locked for as long as this connection is there.
     * The kernel lets go of it when this process or this thread ends, however it ends.
     */
    openLock(): void {
      for (let tries = 0; tries < 10; tries += 1) {
        thread.lock?.close();
        const lock = new Database(data.lock);
        thread.lock = lock;
        try {
          lock.exec("pragma busy_timeout = 1000; pragma journal_mode = memory; begin exclusive");
        } catch (error) {
          if (((error as { errcode?: number }).errcode ?? 0) % 256 === 5) continue;
          throw error;
        }
        // Whoever clears away the locks of the dead may have had it a moment ago, and removed the file.
        thread.lockInode = thread.inodeOf(data.lock);
        if (thread.lockInode !== "") {
          fs.chmodSync(data.lock, 0o600);
          return;
        }
      }
      throw thread.problem("failed", `its lock file ${data.lock} cannot be locked`);
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
        if (rows.length > 0) return { step, rows };
        step += 1;
      }
      return { step: -1, rows: [] };
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
        // Whoever writes next is told what is wrong.
      }
    },

    /** Nothing is written to a file that is not there any more: it would be gone with this process. */
    assertInPlace(): void {
      if (thread.inodeOf(data.file) !== thread.inode) throw thread.problem("moved", "");
    },

    changes(job: Job): boolean {
      return job.some(([name]) => (data.statements[name] as ThreadStatement).changes);
    },

    /** All jobs in one transaction; where that fails, one by one. */
    run(jobs: readonly Job[]): JobResult[] {
      if (!jobs.some((job) => thread.changes(job))) return thread.runOneByOne(jobs, undefined);
      try {
        thread.assertInPlace();
        const results = thread.inTransaction(() => jobs.map((job) => thread.job(job)));
        if (results.some(({ rows }) => rows[0]?.["owner"] === ""))
          setImmediate(() => thread.quietly(() => thread.tellClaimable()));
        return results;
      } catch (error) {
        return thread.runOneByOne(jobs, thread.errorOf(error));
      }
    },

    runOneByOne(jobs: readonly Job[], first: ThreadError | undefined): JobResult[] {
      // A damaged page concerns whoever needs it; a full disk, everybody.
      let broken = first === undefined || first.code % 256 === 11 || first.code % 256 === 1 ? undefined : first;
      return jobs.map((job) => {
        const changes = thread.changes(job);
        try {
          if (!changes) return thread.job(job);
          if (broken === undefined) return thread.inTransaction(() => thread.job(job));
        } catch (error) {
          const failure = thread.errorOf(error);
          if (failure.code % 256 !== 11) broken = changes ? failure : broken;
          return { ...thread.lastRead(job), error: failure };
        }
        return { ...thread.lastRead(job), error: broken as ThreadError };
      });
    },

    /** What can be read is of use when nothing can be written. */
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

    /** Gives up what dead instances own, and whatever is owned by one that is not listed. */
    sweep(): void {
      if (thread.inodeOf(data.lock) !== thread.lockInode) thread.openLock();
      thread.assertInPlace();
      const listed = new Set(thread.all("instances", []).map(({ id }) => String(id)));
      // From owner to owner, however many messages each has.
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
      for (const id of listed) released = thread.releaseDead(id) || released;
      if (released) thread.tellClaimable();
    },

    releaseDead(id: string): boolean {
      const path = data.locks + id;
      let lock: DatabaseSync | undefined;
      try {
        if (thread.inodeOf(path) !== "") {
          lock = new Database(path);
          lock.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
        }
        thread.inTransaction(() => {
          thread.all("release", [id]);
          thread.all("unregister", [id]);
        });
        fs.rmSync(path, { force: true });
        return true;
      } catch {
        // It lives; or that cannot be told, and then nothing is taken from it.
        return false;
      } finally {
        thread.quietly(() => lock?.close());
      }
    },

    /**
     * Makes the file whole again after trouble. Where it was moved or deleted, it is made anew from what is still open; where
     * another file stands in its place, that one is used, if it is a ledger.
     */
    mend(now: number): void {
      if (thread.inodeOf(data.file) === thread.inode) return;
      const old = thread.db as DatabaseSync;
      const temporary = `${data.file}-new-${data.id}`;
      // The log of the file that is gone must not be taken for that of the one that comes.
      for (const suffix of ["-wal", "-shm"]) fs.rmSync(data.file + suffix, { force: true });
      if (thread.inodeOf(data.file) === "") {
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
      // While the lock is held, so that nobody takes it for that of another.
      if (thread.lock !== undefined && thread.inodeOf(data.lock) === thread.lockInode)
        fs.rmSync(data.lock, { force: true });
      thread.quietly(() => thread.lock?.close());
      thread.lock = undefined;
    },

    close(): void {
      try {
        thread.inTransaction(() => {
          thread.all("release", [data.id]);
          thread.all("unregister", [data.id]);
        });
      } finally {
        thread.letGo();
      }
    },
  };

  port.on("message", (request: ThreadRequest) => {
    port.postMessage(thread.answer(request));
    if (request.ask === "close") port.close();
  });
}
