import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { threadId } from "node:worker_threads";
import { InboxError, optionError } from "../../errors.ts";
import { type Clock, systemClock } from "../../kit/clock.ts";
import { startTimer, type Timer } from "../../kit/timer.ts";
import type { ProactiveMessage } from "../../types.ts";
import type { DeadLetterPage, Ledger, LedgerEntry, LedgerHost, TakeResult } from "../ledger.ts";
import { countOf, Damage, named } from "../sql/damage.ts";
import { Pruning } from "../sql/pruning.ts";
import { entriesOf, entryOf, errorOf, keyOf, type MessageRow, takeParameters } from "../sql/rows.ts";
import { SCHEMA_VERSION } from "../sql/schema.ts";
import { Connection, type Step } from "./connection.ts";
import { DeadLetters } from "./dead-letters.ts";
import { resolveSqliteOptions, type SqliteLedgerOptions } from "./options.ts";
import { checkPlace } from "./place.ts";
import { openError, reasonOf, troubleOf } from "./problems.ts";
import { cursorStep, reportStep, save } from "./save.ts";
import { APPLICATION_ID, sqliteSchema, sqliteStatements } from "./statements.ts";
import type { JobResult, Repair, ThreadError } from "./thread/messages.ts";
import { type Report, Unsaved } from "./unsaved.ts";

const BUSY_MS = 5_000;
const POLL_MS = 200;
const MAX_CHECKED_BYTES = 64 * 1_048_576;
const SWEEP_MS = 500;
/**
 * After how many jobs the log is copied into the file. Each job writes one or two pages of 4 kB, or more for a long
 * text.
 */
const CHECKPOINT_JOBS = 2_000;
const RETAIN_CURSORS_MS = 30 * 86_400_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * A durable ledger in one file, created if needed (its folder must exist). SQLite keeps a `-wal` and a `-shm` file
 * beside it, and each inbox that uses it a small lock file. Inboxes in one or several processes on one machine may
 * share it, but not over a network file system. A separate thread does all disk work.
 *
 * Messages that an inbox took belong to it until it closes, or its process or thread ends. The others notice that
 * within two seconds. The kernel holds the lock of a living inbox, so one that is only slow or stopped keeps its
 * messages.
 *
 * While the disk cannot be written (full, broken, file gone), `take` answers from memory, deliveries continue, and the
 * host gets an alarm. The ledger tries again after 1 to 30 seconds. In that time two processes do not know each other's
 * new messages.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option. If the file cannot be opened, `open` rejects.
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
  /** False from a failed write on, until everything in memory is on disk. */
  private safe = true;
  private retrying: Promise<boolean> | undefined;
  private retryTimer: Timer | undefined;
  private pruning: Pruning | undefined;
  private readonly damage: Damage;
  private readonly letters: DeadLetters;

  constructor(file: string, settings: Required<SqliteLedgerOptions>) {
    this.file = file;
    this.settings = settings;
    this.unsaved = new Unsaved(settings.maxUnsaved);
    this.damage = new Damage({ file }, () => this.host);
    this.letters = new DeadLetters({
      file,
      unsaved: this.unsaved,
      damage: this.damage,
      now: () => this.clock.now(),
      read: (job) => this.read(job),
      change: (job) => this.change(job),
    });
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
    if (this.closing !== undefined) return;
    this.pruning = new Pruning({
      clock: this.clock,
      ...this.settings,
      forget: (state, before, limit) => this.forget(state, before, limit),
      forgetRest: (now) => this.forgetRest(now),
    });
  }

  private async connect(): Promise<Connection> {
    const file = await checkPlace(this.file);
    const connection = new Connection(
      {
        file,
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
        checkpointJobs: CHECKPOINT_JOBS,
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

  private tellRepair({ log, file }: Repair): void {
    const where = `The ledger ${this.file}`;
    if (file !== undefined) {
      const { kept, lost, lostBookmarks } = file;
      const messages = lost.length === 0 ? "" : `; ${countOf(lost)} could not: ${named(lost)}`;
      const bookmarks = lostBookmarks === 0 ? "" : `; ${countOf({ length: lostBookmarks }, "bookmark")} could not`;
      const text = `${where} was damaged. It was created again with everything that could be read${messages}${bookmarks}`;
      return this.damage.tell(`${text}. The damaged file is kept as ${kept}`, lost);
    }
    if (log === undefined) return;
    const rest = log.damaged === 0 ? "" : `; ${countOf({ length: log.damaged }, "page")} could not be repaired`;
    const places = countOf({ length: log.mended + log.damaged }, "place");
    this.damage.tell(
      `${where} had a write-ahead log that was damaged in ${places}${rest}. Its disk may be failing`,
      [],
    );
  }

  /** The connection, when there is one. */
  private async ready(): Promise<Connection> {
    if (this.closing !== undefined) throw this.stoppedError();
    if (this.connection !== undefined) return this.connection;
    if (this.opening === undefined) throw this.error(`The ledger ${this.file} was not opened`);
    return this.opening;
  }

  private async run(job: readonly Step[]): Promise<JobResult> {
    return (this.connection ?? (await this.ready())).run(job);
  }

  /** `run` with a callback and without a promise. It runs when the file is open. */
  private add(job: readonly Step[], resolve: (result: JobResult) => void, reject: (error: unknown) => void): void {
    if (this.connection !== undefined) this.connection.add(job, resolve);
    else this.run(job).then(resolve, reject);
  }

  take(message: ProactiveMessage): Promise<TakeResult> {
    return new Promise((resolve, reject) => {
      if (this.closing !== undefined) throw this.stoppedError();
      const { id, runId } = message;
      const now = this.clock.now();
      if (this.unsaved.get(id) !== undefined) return resolve("known");
      if ((this.unsaved.solicited.get(runId) ?? 0) > now) return resolve("solicited");
      const parameters = takeParameters(message, this.host?.ordering ?? "session", now, this.instance);
      // One array for both, so that it is copied to the thread only once.
      const isKnown: Step = ["isKnown", parameters];
      const job: readonly Step[] = this.safe ? [["take", parameters], isKnown] : [isKnown];
      this.add(job, (result) => resolve(this.taken(message, now, job, result)), reject);
    });
  }

  private taken(message: ProactiveMessage, now: number, job: readonly Step[], result: JobResult): TakeResult {
    const { step, rows, error } = result;
    if (error !== undefined) this.failed(error);
    else if (job[step]?.[0] === "take") return rows[0]?.["owner"] === "" ? "elsewhere" : "taken";
    if (rows.length > 0 || this.unsaved.get(message.id) !== undefined) return "known";
    if (error === undefined && this.safe) return "solicited";
    this.unsaved.take(message, now);
    return "taken";
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
    this.write([reportStep(this.instance, id, report)], () => this.unsaved.report(id, report));
  }

  /** Writes something, or keeps it in memory if that fails. `done` is called when it is written or kept. */
  private write(job: readonly Step[], keep: () => void, done = () => {}): void {
    const heard = ({ error }: JobResult) => {
      if (error !== undefined) {
        keep();
        this.failed(error);
      }
      done();
    };
    // If the file could not be opened, `open` has reported that.
    this.add(job, heard, done);
  }

  async claim(limit: number): Promise<readonly LedgerEntry[]> {
    const revived = this.letters.takeRevived(limit);
    if (revived.length === limit) return revived;
    const rows = await this.change([["claim", [this.instance, limit - revived.length]]]);
    const claimed = rows as unknown as MessageRow[];
    const { entries, unreadable } = entriesOf(claimed);
    for (const row of claimed) this.mendId(row);
    if (unreadable.length > 0) this.buryUnreadable(unreadable);
    return [...revived, ...entries];
  }

  /** Replaces a damaged id by that of the message. Otherwise no report would find the row. */
  private mendId(row: MessageRow): void {
    const message = entryOf(row)?.message;
    if (message !== undefined && keyOf(message.id) !== row.id)
      this.write([["rename", [row.id, keyOf(message.id)]]], () => {});
  }

  private buryUnreadable(ids: readonly string[]): void {
    const error = "Its record in the ledger is damaged: the text cannot be read";
    const at = this.clock.now();
    for (const id of ids) this.write([["dead", [id, this.instance, 0, at, error]]], () => {});
    this.damage.unreadable(ids, `in the ledger ${this.file}`);
  }

  deadLetters(page?: DeadLetterPage): Promise<readonly LedgerEntry[]> {
    return this.letters.page(page);
  }

  deadLetter(id: string): Promise<LedgerEntry | undefined> {
    return this.letters.find(id);
  }

  async revive(id: string): Promise<boolean> {
    const isRevived = await this.letters.revive(id);
    if (isRevived) this.host?.onClaimable();
    return isRevived;
  }

  drop(id: string): Promise<boolean> {
    return this.letters.drop(id);
  }

  async solicit(runId: string, until: number): Promise<void> {
    if (this.closing !== undefined || this.opening === undefined) return;
    const keep = () => void this.unsaved.solicited.set(runId, until);
    if (!this.safe) return keep();
    await new Promise<void>((done) => this.write([["solicit", [keyOf(runId), until]]], keep, done));
  }

  async cursor(name: string): Promise<string | undefined> {
    const unsaved = this.unsaved.cursors.get(name);
    if (unsaved !== undefined) return unsaved;
    const [row] = await this.read([["cursor", [keyOf(name)]]]);
    const value = row?.["value"];
    return typeof value === "string" ? value : undefined;
  }

  setCursor(name: string, value: string): void {
    if (this.closing !== undefined || this.opening === undefined) return;
    const keep = () => this.unsaved.cursors.set(name, value);
    // A cursor says that everything before it is recorded. While that is only in memory, the cursor stays in memory,
    // too.
    if (this.safe) this.write([cursorStep(name, value, this.clock.now())], keep);
    else keep();
  }

  async flush(): Promise<void> {
    const connection = await this.ready();
    await this.pruning?.idle();
    await connection.drained();
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
    this.retryTimer?.cancel();
    this.pruning?.stop();
    const connection = await this.opening?.catch(() => undefined);
    if (connection === undefined) return;
    await connection.drained();
    if (!this.safe && !(await this.retry())) {
      this.host?.onAlarm(
        this.error(
          `The ledger ${this.file} was closed with ${this.unsaved.size} of its entries in memory only: they could not be written`,
        ),
      );
    }
    // Gives up what it owns. If that cannot be written, others see that its lock is gone.
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

  /** The disk could not be written or read, in some job. */
  private failed(error: ThreadError): void {
    if (!this.safe) return;
    this.safe = false;
    // Closing tries once more, and reports what is left.
    if (this.closing !== undefined) return;
    this.host?.onAlarm(troubleOf(this.file, error));
    this.retryAfter(FIRST_RETRY_MS);
  }

  private retryAfter(delayMs: number): void {
    this.retryTimer = startTimer(this.clock, delayMs, async () => {
      if (this.safe || (await this.retry()) || this.closing !== undefined) return;
      this.retryAfter(Math.min(delayMs * 2, LAST_RETRY_MS));
    });
  }

  /** Writes everything to disk. Only one retry runs at a time, and callers share it. */
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
    // This thread has nothing open, so the next try uses a new thread.
    if (hasEnded && mended.answer !== "done") await connection.end();
    if (mended.answer !== "done") return false;
    const { ordering } = this.host as LedgerHost;
    const writer = { id: this.instance, ordering, now: () => this.clock.now() };
    if (!(await save(connection, this.unsaved, writer))) return false;
    this.safe = true;
    this.host?.onAlarm(undefined);
    // A claim may have failed in the meantime.
    this.host?.onClaimable();
    return true;
  }

  private async forget(state: string, before: number, limit: number): Promise<number> {
    if (!this.safe) return 0;
    const { rows, error } = await this.run([["prune", [state, before, limit]]]);
    if (error !== undefined) this.failed(error);
    return rows.length;
  }

  private async forgetRest(now: number): Promise<void> {
    if (!this.safe) return;
    this.write([["pruneCursors", [now - RETAIN_CURSORS_MS]]], () => {});
    await new Promise<void>((done) => this.write([["pruneSolicited", [now]]], () => {}, done));
  }

  private error(text: string): InboxError {
    return new InboxError("ERR_INBOX_LEDGER", text, { file: this.file });
  }

  private stoppedError(): InboxError {
    return new InboxError("ERR_INBOX_STOPPED", `The ledger ${this.file} was closed`, { file: this.file });
  }
}
