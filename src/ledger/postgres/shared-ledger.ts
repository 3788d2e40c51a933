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
import { Damage } from "../sql/damage.ts";
import { Pruning } from "../sql/pruning.ts";
import { entriesOf, errorOf, keyOf, type MessageRow } from "../sql/rows.ts";
import { type Statements, statements } from "../sql/statements.ts";
import { CONNECT_MS, type Connections, connectionsOf } from "./connections.ts";
import { ANYONE } from "./functions.ts";
import { Lease } from "./lease.ts";
import type { Settings } from "./options.ts";
import { Pending, type PendingTake } from "./pending.ts";
import type { Deliver, PostgresLedger, TransactionalHandler } from "./port.ts";
import { storedText } from "./text-column.ts";
import { runInTransaction } from "./transaction.ts";
import { isConnectionLoss, ledgerError } from "./trouble.ts";
import { Writer } from "./writer.ts";

/** How long `open` waits for a server that is not there yet, in ms. */
const OPEN_MS = 10_000;
/** How long a message waits for a server that is gone, in ms. Then each host that heard it delivers it from memory. */
const TAKE_MS = 5_000;
/** How long `close` may take to write the rest, in ms. */
const CLOSE_MS = 5_000;
/** How often an attempt that waits for the server checks whether it is there, in ms. */
const RECORDED_MS = 50;
const reconnectIn = exponential(100, 1_000);

/** A ledger in Postgres, for one inbox. */
export class SharedLedger implements PostgresLedger {
  readonly settings: Settings;
  private readonly sql: Statements;
  private readonly pending = new Pending();
  /** The messages that this inbox delivers. */
  private readonly held = new Set<string>();
  /** Messages that came back here by a claim while an attempt was looking whose they are. */
  private readonly regained = new Set<string>();
  private readonly writer: Writer;
  private readonly damage: Damage;
  private host: LedgerHost | undefined;
  private connections: Connections | undefined;
  private opened: Promise<void> | undefined;
  private closed: Promise<void> | undefined;
  private lease: Lease | undefined;
  /** The instance's id, while this ledger is open. */
  private id: string | undefined;
  private failures = 0;
  private alarm: InboxError | undefined;
  private patience: Timer | undefined;
  private isImpatient = false;
  private retry: Timer | undefined;
  private pruning: Pruning | undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    const { prefix, schema } = settings.names;
    this.sql = statements(prefix);
    this.damage = new Damage({ schema }, () => this.host);
    this.writer = new Writer({
      pending: this.pending,
      held: this.held,
      prefix,
      clock: () => this.host?.clock ?? systemClock,
      lease: () => this.lease,
      trouble: (error) => this.trouble(error),
      onLost: (lease, error) => this.lost(lease, error),
      onRefused: (error) => this.raise(this.trouble(error)),
      onWritten: () => this.calm(),
    });
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
    const { retainMs, retainDeadMs } = this.settings;
    if (this.closed !== undefined) return;
    this.pruning = new Pruning({
      clock,
      retainMs,
      retainDeadMs,
      forget: async (state, before, limit) => (await this.read(this.sql.prune, [state, before, limit])).length,
      forgetRest: async (now) => void (await this.read(this.sql.pruneSolicited, [now])),
    });
  }

  /** Begins a life, or resumes it after the connection was lost. */
  private async begin(host: LedgerHost): Promise<void> {
    const { clock, onClaimable } = host;
    const lease: Lease = await Lease.begin({
      connect: () => (this.connections as Connections).connect(CONNECT_MS),
      names: this.settings.names,
      clock,
      id: this.id,
      onClaimable: () => onClaimable(),
      // A broken connection is reported elsewhere.
      onHeld: () => void this.findRobbed(lease).catch(() => {}),
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
    this.writer.work();
  }

  /** Others may have taken our messages over while we had no connection. */
  private async findRobbed(lease: Lease): Promise<void> {
    const ids = [...this.held].filter((id) => this.pending.takeOf(id) === undefined && !this.pending.isOver(id));
    const { prefix } = this.settings.names;
    const { rows } = await lease.query(
      `select h.number from unnest($1::text[]) with ordinality h(id, number)
      where not exists (select from ${prefix}messages m where m.id = h.id and (m.state = 'taken' and m.owner in ($2, '') or m.state = 'delivered' and m.owner = $2))`,
      [ids.map(keyOf), lease.id],
    );
    // They belong to another inbox.
    for (const { number } of rows) this.held.delete(ids[Number(number) - 1] as string);
  }

  private lost(lease: Lease, error: unknown): void {
    if (this.lease !== lease) return;
    this.lease = undefined;
    this.writer.fail(this.trouble(error));
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
      for (const take of this.pending.unansweredTakes()) this.writer.answerFromMemory(take);
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
    // While we were gone, we may have missed that there are messages to claim.
    this.host?.onClaimable();
  }

  take(message: ProactiveMessage): TakeResult | Promise<TakeResult> {
    if (this.held.has(message.id) || this.pending.isOver(message.id)) return "known";
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
    if (this.isImpatient) this.writer.answerFromMemory(take);
    this.writer.work();
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
    if (state !== "taken") {
      this.held.delete(id);
      this.regained.delete(id);
    }
    this.pending.report(id, {
      state,
      attempts,
      error: errorOf(error),
      at: this.now,
    });
    this.writer.work();
  }

  async claim(limit: number): Promise<readonly LedgerEntry[]> {
    await this.opened;
    // The loss has been reported, and there will be a notice when there are messages to claim.
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
        // Others gave it up while we were away, but it is still being delivered here.
        if (this.held.has(id)) this.regained.add(id);
        if (this.held.has(id) || this.pending.isOver(id)) continue;
        // It gets its place in its session now, and not at the turn of our own `take`.
        this.pending.supersede(id);
        this.held.add(id);
        claimed.push(entry);
      }
      if (unreadable.length > 0) await this.bury(lease, unreadable);
      if (claimed.length >= limit) return claimed;
      // Others may have claimed the chosen sessions first. Then there may be more.
      if (rows.length < asked && !(await this.isClaimable(lease))) return claimed;
    }
  }

  private async isClaimable(lease: Lease): Promise<boolean> {
    const { rows } = await lease.query(`select ${this.settings.names.prefix}is_claimable($1) as yes`, [lease.id]);
    return rows[0]?.yes === true;
  }

  /** Makes unreadable messages dead letters, so that a person can look at them. */
  private async bury(lease: Lease, ids: readonly string[]): Promise<void> {
    for (const id of ids)
      await lease.query(this.sql.dead, [id, lease.id, 0, this.now, "The stored message cannot be read"]);
    this.damage.unreadable(ids, this.place);
  }

  private get place(): string {
    return `in the schema \`${this.settings.names.schema}\``;
  }

  async deadLetters({
    limit = DEAD_LETTERS_PAGE,
    after,
    newestFirst = false,
  }: DeadLetterPage = {}): Promise<readonly LedgerEntry[]> {
    const { sql } = this;
    const [first, next] = newestFirst
      ? [sql.newestDeadLetters, sql.deadLettersBefore]
      : [sql.deadLetters, sql.deadLettersAfter];
    const letters: LedgerEntry[] = [];
    // A page may have rows that cannot be read.
    for (let from = after === undefined ? undefined : keyOf(after); letters.length < limit; ) {
      const count = limit - letters.length;
      const rows = (
        from === undefined ? await this.read(first, [count]) : await this.read(next, [from, count])
      ) as readonly MessageRow[];
      const oldestFirst = this.entriesOf(rows);
      letters.push(...(newestFirst ? oldestFirst.toReversed() : oldestFirst));
      if (rows.length < count) break;
      from = rows.at(-1)?.id as string;
    }
    return letters;
  }

  async deadLetter(id: string): Promise<LedgerEntry | undefined> {
    return this.entriesOf((await this.read(this.sql.deadLetter, [keyOf(id)])) as readonly MessageRow[])[0];
  }

  private entriesOf(rows: readonly MessageRow[]): readonly LedgerEntry[] {
    const { entries, unreadable } = entriesOf(rows);
    this.damage.unreadable(unreadable, this.place);
    return entries;
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
    this.writer.work();
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
    this.writer.work();
  }

  async flush(): Promise<void> {
    await this.opened;
    await this.pruning?.idle();
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
    this.pruning?.stop();
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
    for (const take of this.pending.unansweredTakes()) this.writer.answerFromMemory(take);
    this.writer.fail(new InboxError("ERR_INBOX_STOPPED", "The ledger was closed"));
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
      this.regained.delete(id);
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
      // What was found out is out of date. Dropped here, nobody would deliver the message: its row says that we do.
      if (this.regained.delete(id) && result === "lost")
        throw new InboxError("ERR_INBOX_LEDGER", `The message ${id} came back while another inbox seemed to have it`);
      // Reports about it have no effect any longer, because the row has the result.
      this.held.delete(id);
      if (result === "lost") throw leaseError(id);
    };
  }

  /**
   * Waits for a server that is gone, and until it has the message. A message that is only in memory has no row to mark.
   */
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

  private job<T>(run: (lease: Lease) => Promise<T>): Promise<T> {
    if (this.lease !== undefined) return this.writer.job(run);
    return Promise.reject(this.alarm ?? new InboxError("ERR_INBOX_STOPPED", "The ledger is not open"));
  }
}

function leaseError(id: string): InboxError {
  return new InboxError("ERR_INBOX_LEASE", `Another inbox delivers the message ${id}`, { id });
}
