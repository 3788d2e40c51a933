import { InboxError, optionError } from "../../errors.ts";
import { exponential } from "../../kit/backoff.ts";
import { systemClock } from "../../kit/clock.ts";
import { within } from "../../kit/deadline.ts";
import { pause, startTimer, type Timer } from "../../kit/timer.ts";
import type { ProactiveMessage, Session } from "../../types.ts";
import {
  DEAD_LETTERS_PAGE,
  type DeadLetterPage,
  type LedgerEntry,
  type LedgerHost,
  type TakeResult,
} from "../ledger.ts";
import { entriesOf, errorOf, keyOf, type MessageRow } from "../sql/rows.ts";
import { type Statements, statements } from "../sql/statements.ts";
import { CONNECT_MS, type Connections, connectionsOf } from "./connections.ts";
import { ANYONE } from "./functions.ts";
import { Lease } from "./lease.ts";
import type { Settings } from "./options.ts";
import { type Batch, Pending, type PendingTake } from "./pending.ts";
import type { Deliver, PostgresLedger, TransactionalHandler } from "./port.ts";
import { runInTransaction } from "./transaction.ts";
import { isConnectionLoss, isRefusal, ledgerError, sqlState } from "./trouble.ts";

/** How long `open` waits for a server that is not there yet. */
const OPEN_MS = 10_000;
/** So long a message waits for a server that is gone. Then it is delivered from memory, by each host that heard it. */
const TAKE_MS = 5_000;
/** How long `close` may take to write what is left. */
const CLOSE_MS = 5_000;
/** A row that a transaction holds is looked at again so much later. */
const LOCKED_MS = 250;
/** An attempt that waits for the server looks so often whether it is there. */
const RECORDED_MS = 50;
const PRUNE_EVERY_MS = 60_000;
const PRUNE_ROWS = 1_000;
const reconnectIn = exponential(100, 1_000);

/** A read, or a claim, that waits for all that was said before it. */
interface Job {
  readonly after: number;
  readonly run: (lease: Lease) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** A ledger in Postgres, for one inbox. */
export class SharedLedger implements PostgresLedger {
  readonly settings: Settings;
  private readonly sql: Statements;
  private readonly pending = new Pending();
  /** The messages that this inbox delivers. */
  private readonly held = new Set<string>();
  private jobs: Job[] = [];
  private host: LedgerHost | undefined;
  private connections: Connections | undefined;
  private opened: Promise<void> | undefined;
  private closed: Promise<void> | undefined;
  private lease: Lease | undefined;
  /** The instance's id, for as long as this ledger is open. */
  private id: string | undefined;
  private failures = 0;
  private alarm: InboxError | undefined;
  private writing: Promise<void> | undefined;
  private patience: Timer | undefined;
  private isImpatient = false;
  private retry: Timer | undefined;
  private pruning: Timer | undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    this.sql = statements(settings.names.prefix);
  }

  open(host: LedgerHost): Promise<void> {
    if (this.opened !== undefined)
      return Promise.reject(
        new InboxError("ERR_INBOX_OPTION", "A ledger serves one inbox: make one more with `postgresLedger()`", {
          option: "ledger",
        }),
      );
    this.host = host;
    this.opened = this.connect(host);
    return this.opened;
  }

  private async connect(host: LedgerHost): Promise<void> {
    const { pool, connectionString, names } = this.settings;
    this.connections = await connectionsOf(pool, connectionString);
    const { clock } = host;
    const until = clock.now() + OPEN_MS;
    for (;;) {
      try {
        await this.begin(host);
        break;
      } catch (error) {
        if (this.closed === undefined && isConnectionLoss(error) && clock.now() < until) {
          this.failures += 1;
          await pause(clock, reconnectIn(this.failures), undefined, true);
          continue;
        }
        await this.connections.end();
        throw ledgerError("The ledger in Postgres cannot be opened", error, names.schema);
      }
    }
    this.pruneOften();
  }

  /** A life begins, or goes on after the connection was lost. */
  private async begin(host: LedgerHost): Promise<void> {
    const { clock, onClaimable } = host;
    const lease: Lease = await Lease.begin({
      connect: () => (this.connections as Connections).connect(CONNECT_MS),
      names: this.settings.names,
      clock,
      id: this.id,
      onClaimable: () => onClaimable(),
      onLost: (error) => this.lost(lease, error),
    });
    if (this.closed !== undefined) return lease.end(CLOSE_MS);
    const isBack = this.id !== undefined;
    this.id = lease.id;
    if (isBack) await this.findRobbed(lease);
    this.lease = lease;
    // It was lost before anybody listened.
    if (lease.isEnded) return this.lost(lease, new Error("The connection has ended"));
    if (this.pending.size === 0) this.calm();
    this.work();
  }

  /** Others may have taken over what was ours while we had no connection. */
  private async findRobbed(lease: Lease): Promise<void> {
    const ids = [...this.held].filter((id) => this.pending.takeOf(id) === undefined && !this.pending.isSettled(id));
    const { prefix } = this.settings.names;
    const { rows } = await lease.query(
      `select h.number from unnest($1::text[]) with ordinality h(id, number)
      where not exists (select from ${prefix}messages m where m.id = h.id and (m.state = 'taken' and m.owner in ($2, '') or m.state = 'delivered' and m.owner = $2))`,
      [ids.map(keyOf), lease.id],
    );
    // They belong to another inbox now.
    for (const { number } of rows) this.held.delete(ids[Number(number) - 1] as string);
  }

  private lost(lease: Lease, error: unknown): void {
    if (this.lease !== lease) return;
    this.lease = undefined;
    for (const job of this.jobs.splice(0)) job.fail(this.trouble(error));
    this.reconnect(error);
  }

  private reconnect(error: unknown): void {
    const { host } = this;
    if (host === undefined || this.closed !== undefined) return;
    this.raise(this.trouble(error));
    this.failures += 1;
    this.retry = startTimer(
      host.clock,
      reconnectIn(this.failures),
      () => void this.begin(host).catch((again: unknown) => this.reconnect(again)),
      true,
    );
  }

  private trouble(error: unknown): InboxError {
    return ledgerError("The ledger's Postgres cannot be reached or written", error, this.settings.names.schema);
  }

  private raise(error: InboxError): void {
    const { host } = this;
    if (host === undefined) return;
    this.patience ??= startTimer(host.clock, TAKE_MS, () => {
      this.isImpatient = true;
      for (const take of this.pending.unansweredTakes()) this.answerFromMemory(take);
    });
    if (this.alarm !== undefined) return;
    this.alarm = error;
    host.onAlarm(error);
  }

  private calm(): void {
    this.failures = 0;
    this.isImpatient = false;
    this.patience?.cancel();
    this.patience = undefined;
    if (this.alarm === undefined) return;
    this.alarm = undefined;
    this.host?.onAlarm(undefined);
    // Who was gone for a while may have missed that there is something.
    this.host?.onClaimable();
  }

  private answerFromMemory(take: PendingTake): void {
    take.isAnswered = true;
    this.held.add(take.message.id);
    take.resolve("taken");
  }

  take(message: ProactiveMessage): TakeResult | Promise<TakeResult> {
    if (this.held.has(message.id) || this.pending.isSettled(message.id)) return "known";
    const earlier = this.pending.takeOf(message.id);
    if (earlier !== undefined) return earlier.answer.then((result) => (result === "solicited" ? result : "known"));
    let take: PendingTake;
    try {
      take = this.pending.take(message, this.host?.ordering ?? "session", this.now);
    } catch (error) {
      // It is delivered from memory.
      this.held.add(message.id);
      return Promise.reject(error);
    }
    if (this.isImpatient) this.answerFromMemory(take);
    this.work();
    return take.answer;
  }

  holds(id: string): boolean {
    return this.held.has(id);
  }

  attempted(id: string, attempts: number, error: string): void {
    this.report(id, "taken", attempts, error);
  }

  delivered(id: string, attempts: number): void {
    this.report(id, "delivered", attempts, "");
  }

  dead(id: string, attempts: number, error: string): void {
    this.report(id, "dead", attempts, error);
  }

  private report(id: string, state: "taken" | "delivered" | "dead", attempts: number, error: string): void {
    if (!this.held.has(id)) return;
    if (state !== "taken") this.held.delete(id);
    this.pending.report(id, {
      state,
      attempts,
      error: errorOf(error),
      at: this.now,
    });
    this.work();
  }

  async claim(limit: number): Promise<readonly LedgerEntry[]> {
    await this.opened;
    // Whoever is gone has been told of already, and is told when there is something to claim.
    if (this.lease === undefined) return [];
    return this.job((lease) => this.claimNow(lease, limit));
  }

  private async claimNow(lease: Lease, limit: number): Promise<readonly LedgerEntry[]> {
    const claimed: LedgerEntry[] = [];
    for (;;) {
      const asked = limit - claimed.length;
      const { rows } = await lease.query(`select * from ${this.settings.names.prefix}claim($1, $2)`, [lease.id, asked]);
      const { entries, unreadable } = entriesOf(rows as MessageRow[]);
      for (const entry of entries) {
        const { id } = entry.message;
        // Given up for us while we were away, and being delivered here all the same.
        if (this.held.has(id) || this.pending.isSettled(id)) continue;
        // In its place in its session, not when our own `take` of it has its turn.
        this.pending.supersede(id);
        this.held.add(id);
        claimed.push(entry);
      }
      if (unreadable.length > 0) await this.bury(lease, unreadable);
      if (claimed.length >= limit) return claimed;
      // Others may have been quicker with the sessions that were chosen, and there may be more.
      if (rows.length < asked && !(await this.isClaimable(lease))) return claimed;
    }
  }

  private async isClaimable(lease: Lease): Promise<boolean> {
    const { rows } = await lease.query(`select ${this.settings.names.prefix}is_claimable($1) as yes`, [lease.id]);
    return rows[0]?.yes === true;
  }

  /** Keeps what cannot be read among the dead letters, for a person to look at. */
  private async bury(lease: Lease, ids: readonly string[]): Promise<void> {
    for (const id of ids)
      await lease.query(this.sql.dead, [id, lease.id, 0, this.now, "The stored message cannot be read"]);
    const { schema } = this.settings.names;
    this.host?.onAlarm(
      new InboxError(
        "ERR_INBOX_LEDGER",
        `${ids.length} stored messages cannot be read and are dead letters: ${ids.slice(0, 3).join(", ")}`,
        { schema, ids },
      ),
    );
    this.alarm ??= new InboxError("ERR_INBOX_LEDGER", "Stored messages cannot be read");
  }

  async deadLetters({ limit = DEAD_LETTERS_PAGE, after }: DeadLetterPage = {}): Promise<readonly LedgerEntry[]> {
    const rows =
      after === undefined
        ? await this.read(this.sql.deadLetters, [limit])
        : await this.read(this.sql.deadLettersAfter, [keyOf(after), limit]);
    return entriesOf(rows as MessageRow[]).entries;
  }

  async deadLetter(id: string): Promise<LedgerEntry | undefined> {
    return entriesOf((await this.read(this.sql.deadLetter, [keyOf(id)])) as MessageRow[]).entries[0];
  }

  async revive(id: string): Promise<boolean> {
    const { channel } = this.settings.names;
    const rows = await this.read(this.sql.revive, [keyOf(id), this.now]);
    if (rows.length > 0) await this.read("select pg_notify($1, $2)", [channel, ANYONE]);
    return rows.length > 0;
  }

  async drop(id: string): Promise<boolean> {
    return (await this.read(this.sql.drop, [keyOf(id), this.now])).length > 0;
  }

  solicit(runId: string, until: number): Promise<void> {
    const done = this.pending.solicit(keyOf(runId), until);
    this.work();
    return done;
  }

  async cursor(name: string): Promise<string | undefined> {
    const waiting = this.pending.bookmarkOf(name);
    if (waiting !== undefined) return waiting;
    const [row] = await this.read(this.sql.cursor, [keyOf(name)]);
    const { value } = (row ?? {}) as { readonly value?: string };
    return value === undefined ? undefined : storedText(value);
  }

  setCursor(name: string, value: string): void {
    this.pending.bookmark(name, value);
    this.work();
  }

  async flush(): Promise<void> {
    await this.opened;
    if (this.pending.size === 0) return;
    await this.job(async () => {});
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    const { host } = this;
    if (host === undefined) return;
    this.retry?.cancel();
    this.pruning?.cancel();
    await this.opened?.catch(() => {});
    if (this.lease !== undefined && this.pending.size > 0)
      await within(
        systemClock,
        CLOSE_MS,
        this.job(async () => {}),
        true,
      ).catch(() => false);
    const left = this.pending.size;
    if (left > 0)
      this.raise(
        new InboxError("ERR_INBOX_LEDGER", `The ledger was closed before ${left} entries could be written`, {
          entries: left,
        }),
      );
    this.patience?.cancel();
    for (const take of this.pending.unansweredTakes()) this.answerFromMemory(take);
    for (const job of this.jobs.splice(0)) job.fail(new InboxError("ERR_INBOX_STOPPED", "The ledger was closed"));
    const { lease } = this;
    this.lease = undefined;
    await lease?.end(CLOSE_MS);
    await this.connections?.end();
  }

  transactional<S extends Session = Session>(handler: TransactionalHandler<S>): Deliver<S> {
    if (typeof handler !== "function") throw optionError("handler", "a function", handler);
    return async (message, { attempt, signal }) => {
      const { host, connections, settings } = this;
      if (host === undefined || connections === undefined)
        throw new InboxError(
          "ERR_INBOX_OPTION",
          "A transactional handler needs its own ledger: give the same `postgresLedger()` as `ledger`",
          { option: "ledger" },
        );
      const { id } = message;
      await this.recorded(id, signal);
      const result = await runInTransaction({
        id,
        attempt,
        now: this.now,
        signal,
        owner: this.id ?? "",
        names: settings.names,
        serverVersion: this.lease?.serverVersion ?? 0,
        connect: () => connections.connect(CONNECT_MS),
        handle: (client) => handler(message, { client, attempt, signal }),
      });
      // What is reported of it has no effect any more: the row says it all.
      this.held.delete(id);
      if (result === "lost") throw leaseError(id);
    };
  }

  /** Waits for a server that is gone, and until it has the message: while it is in memory only, there is nothing to mark. */
  private async recorded(id: string, signal: AbortSignal): Promise<void> {
    while (this.closed === undefined && (this.lease === undefined || this.pending.takeOf(id) !== undefined)) {
      signal.throwIfAborted();
      await pause(systemClock, RECORDED_MS, signal);
    }
  }

  private get now(): number {
    return this.host?.clock.now() ?? Date.now();
  }

  private async read(text: string, values: readonly unknown[]): Promise<readonly unknown[]> {
    await this.opened;
    return this.job(async (lease) => (await lease.query(text, values)).rows);
  }

  /** Runs once all that was said so far is written. Rejects when the server is gone. */
  private job<T>(run: (lease: Lease) => Promise<T>): Promise<T> {
    if (this.lease === undefined)
      return Promise.reject(this.alarm ?? new InboxError("ERR_INBOX_STOPPED", "The ledger is not open"));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.jobs.push({
      after: this.pending.last,
      run: (lease) => run(lease).then(resolve, (error: unknown) => reject(this.trouble(error))),
      fail: reject,
    });
    this.work();
    return promise;
  }

  private work(): void {
    if (this.lease === undefined || this.writing !== undefined) return;
    // In a turn of its own: what is said in this one goes along.
    this.writing = Promise.resolve()
      .then(() => this.write())
      .finally(() => {
        this.writing = undefined;
        if (this.lease !== undefined && this.hasWork) this.work();
      });
  }

  private get hasWork(): boolean {
    return this.pending.isDue || this.jobs.some(({ after }) => this.pending.isWritten(after));
  }

  private async write(): Promise<void> {
    for (let { lease } = this; lease !== undefined && this.hasWork; lease = this.lease) {
      try {
        if (this.pending.isDue) await this.record(lease);
      } catch (error) {
        lease.close();
        return this.lost(lease, error);
      }
      if (this.pending.size === 0) this.calm();
      const due = this.jobs.filter(({ after }) => this.pending.isWritten(after));
      this.jobs = this.jobs.filter((job) => !due.includes(job));
      for (const job of due) await job.run(lease);
    }
  }

  private async record(lease: Lease): Promise<void> {
    const batch = this.pending.next(false);
    try {
      return this.note(batch, await this.send(lease, batch));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    // Something in it is refused: what is it? Each goes alone.
    for (let left = sizeOf(batch); left > 0 && this.pending.isDue; left -= 1) {
      const one = this.pending.next(true);
      try {
        this.note(one, await this.send(lease, one));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.raise(this.trouble(error));
        for (const take of one.takes) if (!take.isAnswered) this.answerFromMemory(take);
        this.pending.written(one);
      }
    }
  }

  private async send(lease: Lease, { takes, reports, solicits, bookmarks }: Batch): Promise<readonly Told[]> {
    const column = (index: number) => takes.map(({ parameters }) => parameters[index]);
    const [ids, gateways, sessionKeys, lanes, runIds, ats, bodies] = [0, 1, 2, 3, 4, 5, 6].map(column);
    const values = [
      ...[lease.id, this.now],
      ...[ids, gateways, sessionKeys, lanes, runIds, ats, bodies, takes.map(({ isAnswered }) => isAnswered)],
      ...[reports.map(({ key }) => key), reports.map(({ state }) => state)],
      ...[reports.map(({ attempts }) => attempts), reports.map(({ error }) => error), reports.map(({ at }) => at)],
      ...[solicits.map(([runId]) => runId), solicits.map(([, { until }]) => until)],
      ...[bookmarks.map(([name]) => keyOf(name)), bookmarks.map(([, { value }]) => textToStore(value))],
    ];
    const places = values.map((_, index) => `$${index + 1}`).join(", ");
    const text = `select * from ${this.settings.names.prefix}record(${places})`;
    for (let left = RETRIES; ; left -= 1) {
      try {
        for (const take of takes) take.isSent = true;
        return (await lease.query(text, values)).rows as Told[];
      } catch (error) {
        // The server ended a deadlock.
        if (!(sqlState(error) ?? "").startsWith("40") || left === 0) throw error;
      }
    }
  }

  /** What the server said to a batch. */
  private note(batch: Batch, told: readonly Told[]): void {
    const locked = new Set(told.filter(({ what }) => what === "later").map(({ id }) => id));
    this.pending.written(batch, locked);
    if (locked.size > 0)
      startTimer((this.host as LedgerHost).clock, LOCKED_MS, () => {
        this.pending.unlock();
        this.work();
      });
    const results = new Map(
      told.filter(({ what }) => what !== "later" && what !== "refused").map(({ id, what }) => [id, what]),
    );
    for (const take of batch.takes) this.noteTake(take, results.get(take.key) ?? "taken");
  }

  private noteTake({ message, isAnswered, resolve }: PendingTake, what: Told["what"] | "taken"): void {
    // "mine": it was recorded by a call whose answer was lost.
    const isOurs = what === "taken" || what === "mine";
    if (isAnswered) {
      // Another host has recorded it meanwhile, and delivers it.
      if (!isOurs) this.held.delete(message.id);
      return;
    }
    if (isOurs) this.held.add(message.id);
    resolve(isOurs ? "taken" : what === "elsewhere" || what === "solicited" ? what : "known");
  }

  private pruneOften(): void {
    const { host } = this;
    if (host === undefined || this.closed !== undefined) return;
    // What fails has been told of, or is tried again.
    const again = () =>
      void this.prune()
        .catch(() => {})
        .finally(() => this.pruneOften());
    this.pruning = startTimer(host.clock, PRUNE_EVERY_MS, again);
  }

  /** Forgets what is old, in steps. Several hosts may do so at once. */
  async prune(): Promise<void> {
    const { retainMs, retainDeadMs } = this.settings;
    const now = this.now;
    await this.read(this.sql.pruneSolicited, [now]);
    for (const [state, ms] of [
      ["delivered", retainMs],
      ["dead", retainDeadMs],
    ] as const)
      while ((await this.read(this.sql.prune, [state, now - ms, PRUNE_ROWS])).length === PRUNE_ROWS);
  }
}

function leaseError(id: string): InboxError {
  return new InboxError("ERR_INBOX_LEASE", `Another inbox delivers the message ${id}`, { id });
}

/** A call of the server is tried again so often after a deadlock. */
const RETRIES = 3;

interface Told {
  readonly id: string;
  readonly what: "elsewhere" | "known" | "mine" | "solicited" | "later" | "refused";
}

function sizeOf({ takes, reports, solicits, bookmarks }: Batch): number {
  return takes.length + reports.length + solicits.length + bookmarks.length;
}

const ENCODED = "#json:";

/** A text column holds no NUL and no half of a character. */
function textToStore(value: string): string {
  const fits = !value.includes("\0") && value.isWellFormed() && !value.startsWith(ENCODED);
  return fits ? value : ENCODED + JSON.stringify(value);
}

function storedText(value: string): string {
  return value.startsWith(ENCODED) ? (JSON.parse(value.slice(ENCODED.length)) as string) : value;
}
