import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { threadId } from "node:worker_threads";
import { InboxError, optionError } from "../../errors.ts";
import { type Clock, systemClock } from "../../kit/clock.ts";
import type { ProactiveMessage } from "../../types.ts";
import {
  DEAD_LETTERS_PAGE,
  type DeadLetterPage,
  type Ledger,
  type LedgerEntry,
  type LedgerHost,
  type TakeResult,
} from "../ledger.ts";
import { entriesOf, entryOf, errorOf, keyOf, type MessageRow, takeParameters } from "../sql/rows.ts";
import { SCHEMA_VERSION } from "../sql/schema.ts";
import { Connection, type Step } from "./connection.ts";
import { resolveSqliteOptions, type SqliteLedgerOptions } from "./options.ts";
import { checkPlace } from "./place.ts";
import { openError, reasonOf, troubleOf } from "./problems.ts";
import { APPLICATION_ID, sqliteSchema, sqliteStatements } from "./statements.ts";
import type { JobResult, Repair, ThreadError } from "./thread.ts";
import { type Report, Unsaved, type UnsavedEntry } from "./unsaved.ts";

const BUSY_MS = 5_000;
const POLL_MS = 200;
const MAX_CHECKED_BYTES = 64 * 1_048_576;
const SWEEP_MS = 500;
const PRUNE_MS = 60_000;
/** Deleted in one transaction. Other writers wait for it, so it is kept short. */
const PRUNE_STEP = 500;
const RETAIN_CURSORS_MS = 30 * 86_400_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const SAVE_STEP = 500;
/** So many ids of damaged messages are named in an alarm. */
const NAMED = 10;
/** And so many listed in its details. */
const MAX_IDS = 1_000;

/**
 * A durable ledger in one file, made when it is not there (its folder must exist); SQLite keeps a `-wal` and a `-shm` file
 * beside it, and each inbox that uses it a small lock file. Inboxes in one or several processes of one machine may share
 * it; not over a network file system. All disk work is done by a thread of its own.
 *
 * What an inbox took belongs to it until it closes or its process (or thread) ends, which the others notice within two
 * seconds: the lock of a living one is held by the kernel, so nobody who is only slow or stopped is robbed.
 *
 * While the disk refuses (full, broken, file gone), `take` answers from memory, deliveries go on, and the host has an alarm;
 * the ledger tries again by itself after 1 to 30 seconds. In that time two processes know nothing of each other's new messages.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option. That the file cannot be opened is told by `open`.
 *
 * @example
 * createInbox({ ledger: createSqliteLedger("./inbox.db", { retainDeadMs: 30 * 86_400_000 }) });
 */
export function createSqliteLedger(file: string, options: SqliteLedgerOptions = {}): Ledger {
  if (typeof file !== "string" || file === "" || file.includes("\0"))
    throw optionError("ledger", "the path of a file", file);
  return new SqliteLedger(file, resolveSqliteOptions(options));
}

class SqliteLedger implements Ledger {
  private readonly file: string;
  private readonly settings: Required<SqliteLedgerOptions>;
  private readonly instance = randomBytes(9).toString("base64url").replaceAll("-", "_");
  private readonly unsaved: Unsaved;
  private host: LedgerHost | undefined;
  private clock: Clock = systemClock;
  private connection: Connection | undefined;
  private opening: Promise<Connection> | undefined;
  private closing: Promise<void> | undefined;
  /** False from a write that failed until memory has been brought to disk. */
  private safe = true;
  private retrying: Promise<boolean> | undefined;
  private pruning: Promise<void> | undefined;
  private pruneAgain = false;
  private readonly timers = new Set<unknown>();
  /** Revived in memory, for the next `claim`. */
  private revived: LedgerEntry[] = [];

  constructor(file: string, settings: Required<SqliteLedgerOptions>) {
    this.file = file;
    this.settings = settings;
    this.unsaved = new Unsaved(settings.maxUnsaved);
  }

  async open(host: LedgerHost): Promise<void> {
    if (this.host !== undefined)
      throw new InboxError(
        "ERR_INBOX_OPTION",
        `The ledger ${this.file} is in use by another inbox: make one for each`,
        {
          option: "ledger",
        },
      );
    this.host = host;
    this.clock = host.clock;
    this.opening = this.connect();
    await this.opening;
    this.every(PRUNE_MS, () => this.prune());
  }

  private async connect(): Promise<Connection> {
    const file = await checkPlace(this.file);
    const connection = new Connection(
      {
        file,
        lock: `${file}-lock-${this.instance}`,
        locks: `${file}-lock-`,
        id: this.instance,
        about: `process ${process.pid}${threadId === 0 ? "" : `, thread ${threadId}`}, ${hostname()}`,
        applicationId: APPLICATION_ID,
        version: SCHEMA_VERSION,
        schema: sqliteSchema,
        statements: sqliteStatements,
        busyMs: BUSY_MS,
        pollMs: POLL_MS,
        maxCheckedBytes: MAX_CHECKED_BYTES,
        sweepMs: SWEEP_MS,
      },
      () => this.host?.onClaimable(),
    );
    connection.start();
    const answer = await connection.ask({ ask: "open", now: this.clock.now() });
    if (answer.answer === "failed") {
      await connection.end();
      throw openError(this.file, reasonOf(answer.error), answer.error.text);
    }
    this.connection = connection;
    if (answer.answer === "done" && answer.repair !== undefined) this.tellRepair(answer.repair);
    return connection;
  }

  private tellRepair({ kept, lost }: Repair): void {
    const what = lost.length === 0 ? "" : `; ${countOf(lost)} could not: ${named(lost)}`;
    this.tellDamage(
      `The ledger ${this.file} was damaged. It was made anew with everything that could be read${what}. The damaged file is kept as ${kept}`,
      lost,
    );
  }

  /** An alarm for something that is over: nothing that was told since is at risk. */
  private tellDamage(text: string, ids: readonly string[]): void {
    const details = { file: this.file, reason: "damaged", unreadable: ids.length, ids: ids.slice(0, MAX_IDS) };
    this.host?.onAlarm(new InboxError("ERR_INBOX_LEDGER", text, details));
    if (this.safe) this.host?.onAlarm(undefined);
  }

  /** The connection, once there is one. */
  private async ready(): Promise<Connection> {
    if (this.closing !== undefined) throw this.stoppedError();
    if (this.connection !== undefined) return this.connection;
    if (this.opening === undefined) throw this.error(`The ledger ${this.file} was not opened`);
    return this.opening;
  }

  private async run(job: readonly Step[]): Promise<JobResult> {
    return (this.connection ?? (await this.ready())).run(job);
  }

  async take(message: ProactiveMessage): Promise<TakeResult> {
    if (this.closing !== undefined) throw this.stoppedError();
    const { id, runId } = message;
    const now = this.clock.now();
    if (this.unsaved.get(id) !== undefined) return "known";
    if ((this.unsaved.solicited.get(runId) ?? 0) > now) return "solicited";
    const isKnown: Step = ["isKnown", [keyOf(id)]];
    const ordering = this.host?.ordering ?? "session";
    const take: Step = ["take", takeParameters(message, ordering, now, this.instance)];
    const { step, rows, error } = await this.run(this.safe ? [take, isKnown] : [isKnown]);
    if (error !== undefined) this.failed(error);
    if (error === undefined && this.safeStep(step, rows)) return rows[0]?.["owner"] === "" ? "elsewhere" : "taken";
    if (rows.length > 0 || this.unsaved.get(id) !== undefined) return "known";
    if (error === undefined && this.safe) return "solicited";
    this.unsaved.take(message, now);
    return "taken";
  }

  private safeStep(step: number, rows: JobResult["rows"]): boolean {
    return step === 0 && rows[0]?.["owner"] !== undefined;
  }

  attempted(id: string, attempts: number, error: string): void {
    const text = errorOf(error);
    this.report(id, { state: "taken", attempts, at: this.clock.now(), error: text });
  }

  delivered(id: string, attempts: number): void {
    this.report(id, { state: "delivered", attempts, at: this.clock.now() });
  }

  dead(id: string, attempts: number, error: string): void {
    this.report(id, { state: "dead", attempts, at: this.clock.now(), error: errorOf(error) });
  }

  private report(id: string, report: Report): void {
    if (this.closing !== undefined || this.opening === undefined) return;
    if (!this.safe || this.unsaved.get(id) !== undefined) return this.unsaved.report(id, report);
    void this.write([this.reportStep(id, report)], () => this.unsaved.report(id, report));
  }

  private reportStep(id: string, { state, attempts, at, error = "" }: Report): Step {
    const key = keyOf(id);
    if (state === "delivered") return ["delivered", [key, this.instance, attempts, at]];
    if (state === "dead") return ["dead", [key, this.instance, attempts, at, error]];
    return ["attempted", [key, this.instance, attempts, error]];
  }

  /** Writes what nobody waits for; keeps it in memory where that fails. */
  private async write(job: readonly Step[], keep: () => void): Promise<void> {
    let error: ThreadError | undefined;
    try {
      ({ error } = await this.run(job));
    } catch {
      // It could not be opened, which `open` has told.
      return;
    }
    if (error === undefined) return;
    keep();
    this.failed(error);
  }

  async claim(limit: number): Promise<readonly LedgerEntry[]> {
    const revived = this.revived.splice(0, limit);
    if (revived.length === limit) return revived;
    const rows = await this.change([["claim", [this.instance, limit - revived.length]]]);
    const claimed = rows as unknown as MessageRow[];
    const { entries, unreadable } = entriesOf(claimed);
    for (const row of claimed) this.mendId(row);
    if (unreadable.length > 0) this.tellUnreadable(unreadable);
    return [...revived, ...entries];
  }

  /** A damaged id is mended by that of its message, or no report would find the row. */
  private mendId(row: MessageRow): void {
    const message = entryOf(row)?.message;
    if (message !== undefined && keyOf(message.id) !== row.id)
      void this.write([["rename", [row.id, keyOf(message.id)]]], () => {});
  }

  private tellUnreadable(ids: readonly string[]): void {
    const error = "Its record in the ledger is damaged: the text cannot be read";
    const at = this.clock.now();
    for (const id of ids) void this.write([["dead", [id, this.instance, 0, at, error]]], () => {});
    this.tellDamage(
      `${countOf(ids)} in the ledger ${this.file} cannot be read and will not be delivered: ${named(ids)}. They stay in the file`,
      ids,
    );
  }

  async deadLetters({ limit = DEAD_LETTERS_PAGE, after }: DeadLetterPage = {}): Promise<readonly LedgerEntry[]> {
    const unsaved = await this.unsavedLetters();
    const letters: LedgerEntry[] = [];
    const inMemory = unsaved.findIndex(({ message }) => message.id === after);
    if (inMemory >= 0) return unsaved.slice(inMemory + 1, inMemory + 1 + limit);
    // A page may hold rows that cannot be read.
    for (let from = after === undefined ? undefined : keyOf(after); letters.length < limit; ) {
      const count = limit - letters.length;
      const step: Step = from === undefined ? ["deadLetters", [count]] : ["deadLettersAfter", [from, count]];
      const rows = (await this.read([step])) as unknown as MessageRow[];
      letters.push(...entriesOf(rows).entries);
      if (rows.length < count) {
        letters.push(...unsaved.slice(0, limit - letters.length));
        break;
      }
      from = rows.at(-1)?.id as string;
    }
    return letters;
  }

  /** The dead letters that the file does not know as such. */
  private async unsavedLetters(): Promise<readonly LedgerEntry[]> {
    const letters = await Promise.all(this.unsaved.dead().map((entry) => this.unsavedLetter(entry)));
    return letters.filter((letter) => letter !== undefined);
  }

  private async unsavedLetter({
    id,
    state,
    attempts,
    at,
    error,
    ...entry
  }: UnsavedEntry): Promise<LedgerEntry | undefined> {
    const message = entry.message ?? (await this.messageOf(id));
    return message && { message, state, attempts, at, ...(error !== undefined && { error }) };
  }

  private async messageOf(id: string): Promise<ProactiveMessage | undefined> {
    const [row] = (await this.read([["message", [keyOf(id)]]])) as unknown as MessageRow[];
    return row && entryOf(row)?.message;
  }

  async deadLetter(id: string): Promise<LedgerEntry | undefined> {
    const unsaved = this.unsaved.get(id);
    if (unsaved !== undefined) return unsaved.state === "dead" ? this.unsavedLetter(unsaved) : undefined;
    const [row] = (await this.read([["deadLetter", [keyOf(id)]]])) as unknown as MessageRow[];
    return row && entryOf(row);
  }

  async revive(id: string): Promise<boolean> {
    const unsaved = this.unsaved.get(id);
    const now = this.clock.now();
    if (unsaved === undefined) {
      if ((await this.change([["revive", [keyOf(id), now]]])).length === 0) return false;
    } else {
      const letter = unsaved.state === "dead" ? await this.unsavedLetter(unsaved) : undefined;
      if (letter === undefined) return false;
      const { error: _, ...rest } = unsaved;
      this.unsaved.set({ ...rest, state: "taken", attempts: 0, at: now });
      this.revived.push({ message: letter.message, state: "taken", attempts: 0, at: now });
    }
    this.host?.onClaimable();
    return true;
  }

  async drop(id: string): Promise<boolean> {
    const unsaved = this.unsaved.get(id);
    const now = this.clock.now();
    if (unsaved === undefined) return (await this.change([["drop", [keyOf(id), now]]])).length > 0;
    if (unsaved.state !== "dead") return false;
    this.unsaved.set({ ...unsaved, state: "delivered", at: now });
    return true;
  }

  async solicit(runId: string, until: number): Promise<void> {
    if (this.closing !== undefined || this.opening === undefined) return;
    const keep = () => this.unsaved.solicited.set(runId, until);
    if (this.safe) await this.write([["solicit", [keyOf(runId), until]]], keep);
    else keep();
  }

  async cursor(name: string): Promise<string | undefined> {
    if (this.unsaved.cursors.has(name)) return this.unsaved.cursors.get(name);
    const [row] = await this.read([["cursor", [keyOf(name)]]]);
    const value = row?.["value"];
    return typeof value === "string" ? value : undefined;
  }

  setCursor(name: string, value: string | undefined): void {
    if (this.closing !== undefined || this.opening === undefined) return;
    const keep = () => this.unsaved.cursors.set(name, value);
    // A cursor says that all before it is taken care of: while that is in memory only, so is the cursor.
    if (this.safe) void this.write([this.cursorStep(name, value)], keep);
    else keep();
  }

  private cursorStep(name: string, value: string | undefined): Step {
    return value === undefined
      ? ["forgetCursor", [keyOf(name)]]
      : ["setCursor", [keyOf(name), value.toWellFormed(), this.clock.now()]];
  }

  async flush(): Promise<void> {
    const connection = await this.ready();
    await this.pruning;
    await connection.settled();
    if (this.safe || (await this.retry())) return;
    throw this.error(
      `The ledger ${this.file} has ${this.unsaved.size} of its entries in memory only: they cannot be written`,
    );
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    for (const timer of this.timers) this.clock.clearTimeout(timer as never);
    const connection = await this.opening?.catch(() => undefined);
    if (connection === undefined) return;
    await connection.settled();
    if (!this.safe && !(await this.retry())) {
      this.host?.onAlarm(
        this.error(
          `The ledger ${this.file} was closed with ${this.unsaved.size} of its entries in memory only: they could not be written`,
        ),
      );
    }
    // What it owns is given up; where that cannot be written, it is when its lock is gone.
    await connection.ask({ ask: "close" });
    await connection.end();
  }

  /** @throws {InboxError} `ERR_INBOX_LEDGER` when it cannot be read. */
  private async read(job: readonly Step[]): Promise<JobResult["rows"]> {
    const connection = await this.ready();
    const { rows, error } = await connection.run(job);
    if (error !== undefined) throw troubleOf(this.file, error);
    return rows;
  }

  /** @throws {InboxError} `ERR_INBOX_LEDGER` when it cannot be written. */
  private async change(job: readonly Step[]): Promise<JobResult["rows"]> {
    const connection = await this.ready();
    const { rows, error } = await connection.run(job);
    if (error === undefined) return rows;
    this.failed(error);
    throw troubleOf(this.file, error);
  }

  /** The disk refused something, whoever asked for it. */
  private failed(error: ThreadError): void {
    if (!this.safe || this.closing !== undefined) return;
    this.safe = false;
    this.host?.onAlarm(troubleOf(this.file, error));
    this.retryAfter(FIRST_RETRY_MS);
  }

  private retryAfter(delayMs: number): void {
    this.after(delayMs, async () => {
      if (!this.safe && !(await this.retry())) this.retryAfter(Math.min(delayMs * 2, LAST_RETRY_MS));
    });
  }

  /** Brings everything to disk. One at a time; several callers share it. */
  private retry(): Promise<boolean> {
    this.retrying ??= this.retryNow().finally(() => {
      this.retrying = undefined;
    });
    return this.retrying;
  }

  private async retryNow(): Promise<boolean> {
    const connection = this.connection as Connection;
    const now = this.clock.now();
    const hasEnded = !connection.alive;
    if (hasEnded) connection.start();
    const mended = await connection.ask({ ask: hasEnded ? "open" : "mend", now });
    // Another try begins with a new thread, since this one has nothing open.
    if (hasEnded && mended.answer !== "done") await connection.end();
    if (mended.answer !== "done") return false;
    while (this.unsaved.size > 0) if (!(await this.saveStep(connection))) return false;
    this.safe = true;
    this.host?.onAlarm(undefined);
    return true;
  }

  private async saveStep(connection: Connection): Promise<boolean> {
    const entries = this.unsaved.first(SAVE_STEP);
    const results = await Promise.all(
      entries.map(async (entry) => {
        const { error } = await connection.run(this.saveSteps(entry));
        if (error === undefined) this.unsaved.saved(entry);
        return error === undefined;
      }),
    );
    if (results.includes(false)) return false;
    return entries.length === SAVE_STEP || this.saveRest(connection);
  }

  private saveSteps(entry: UnsavedEntry): Step[] {
    const { id, message, state, attempts, at, error = "" } = entry;
    const report = this.reportStep(id, { state, attempts, at, error });
    if (message === undefined) return [report];
    const ordering = this.host?.ordering ?? "session";
    return [["takeAnyway", [...takeParameters(message, ordering, at, this.instance), attempts, error]], report];
  }

  /** Cursors come last: they speak of what was taken before. */
  private async saveRest(connection: Connection): Promise<boolean> {
    const { cursors, solicited } = this.unsaved;
    for (const [runId, until] of [...solicited]) {
      const { error } = await connection.run([["solicit", [keyOf(runId), until]]]);
      if (error !== undefined) return false;
      if (solicited.get(runId) === until) solicited.delete(runId);
    }
    if (this.unsaved.first(1).length > 0) return true;
    for (const [name, value] of [...cursors]) {
      const { error } = await connection.run([this.cursorStep(name, value)]);
      if (error !== undefined) return false;
      if (cursors.get(name) === value) cursors.delete(name);
    }
    return true;
  }

  /** One at a time; called again meanwhile, it looks once more, since time has passed. */
  private async prune(): Promise<void> {
    this.pruneAgain = true;
    this.pruning ??= this.pruneAll().finally(() => {
      this.pruning = undefined;
    });
    await this.pruning;
  }

  private async pruneAll(): Promise<void> {
    while (this.pruneAgain && this.safe && this.closing === undefined) {
      this.pruneAgain = false;
      await this.pruneNow();
    }
  }

  private async pruneNow(): Promise<void> {
    const now = this.clock.now();
    const { retainMs, retainDeadMs } = this.settings;
    for (const [state, age] of [
      ["delivered", retainMs],
      ["dead", retainDeadMs],
    ] as const) {
      for (let forgotten = PRUNE_STEP; forgotten === PRUNE_STEP && this.closing === undefined; ) {
        const { rows, error } = await this.run([["prune", [state, now - age, PRUNE_STEP]]]);
        if (error !== undefined) return this.failed(error);
        forgotten = rows.length;
      }
    }
    if (this.closing !== undefined) return;
    await this.write([["pruneCursors", [now - RETAIN_CURSORS_MS]]], () => {});
    await this.write([["pruneSolicited", [now]]], () => {});
  }

  private every(ms: number, work: () => Promise<void>): void {
    this.after(ms, async () => {
      this.every(ms, work);
      await work();
    });
  }

  private after(ms: number, work: () => Promise<void>): void {
    if (this.closing !== undefined) return;
    const timer = this.clock.setTimeout(() => {
      this.timers.delete(timer);
      if (this.closing === undefined) void work();
    }, ms);
    this.timers.add(timer);
  }

  private error(text: string): InboxError {
    return new InboxError("ERR_INBOX_LEDGER", text, { file: this.file });
  }

  private stoppedError(): InboxError {
    return new InboxError("ERR_INBOX_STOPPED", `The ledger ${this.file} was closed`, { file: this.file });
  }
}

function countOf({ length }: readonly string[]): string {
  return `${length} ${length === 1 ? "message" : "messages"}`;
}

function named(ids: readonly string[]): string {
  return `${ids.slice(0, NAMED).join(", ")}${ids.length > NAMED ? ", ..." : ""}`;
}
