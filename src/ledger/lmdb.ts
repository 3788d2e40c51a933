import { InboxError, optionError } from "../errors.ts";
import { DEAD_LETTERS_PAGE, type Ledger, type LedgerEntry, type LedgerHost, type TakeResult } from "./ledger.ts";
import { claimAbandoned, closedHere, releaseAll } from "./lmdb-claim.ts";
import { dropLetter, type HeldEntry, readDeadLetters, reviveLetter } from "./lmdb-entries.ts";
import { type LedgerFile, openLedgerFile } from "./lmdb-file.ts";
import { holderNow, newHolderId } from "./lmdb-holder.ts";
import { createJobs, type Jobs } from "./lmdb-jobs.ts";
import { type LmdbLedgerOptions, resolveLmdbOptions, type Settings } from "./lmdb-options.ts";
import { prune, pruneCursors } from "./lmdb-prune.ts";
import { LedgerWriter } from "./lmdb-writer.ts";

/** How safe a ledger is. */
export interface LedgerStats {
  /** Whether all that was reported is on disk or on its way there. False from a write that failed until memory has been brought to disk. */
  readonly safe: boolean;
  /** Ids, with or without a message, that are known to memory only: lost if this process ends now. */
  readonly unsaved: number;
  /** Delivered ids given up because there were more than `maxUnsaved`; their messages may be handed over again. */
  readonly forgotten: number;
}

/** A ledger in a file, which several processes may use at once. */
export interface LmdbLedger extends Ledger {
  stats(): LedgerStats;
}

const PRUNE_MS = 60_000;
const PRUNE_CURSORS_MS = 3_600_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Opens a durable ledger: one file, created when it is not there (its folder must exist), and a
 * lock file beside it, `<file>-lock`. Several inboxes in one or several processes of one machine
 * may use it at once; not over a network file system. Opening is synchronous; nothing after it
 * waits for the disk on this thread.
 *
 * `take` resolves when the message is on disk and flushed. What an inbox took belongs to it until
 * it closes or its process ends; then the next `claim` of any other finds it. `claim` is cheap when
 * there is nothing: call it now and then. A living holder on the same machine is never robbed. One
 * that was (see `leaseMs`) goes on with what it has; its message may then be handed over twice,
 * and whoever delivers it first settles it for both.
 *
 * While the disk refuses (full, broken), `take` answers from memory and the file, deliveries go on,
 * and `stats().safe` is false; the ledger tries again by itself after 1 to 30 seconds. In that time
 * two processes know nothing of each other's new messages. (`lmdb` itself writes a few lines to
 * stderr at each refusal; they hold no text.)
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option. `ERR_INBOX_LEDGER` when the file cannot
 *   be opened, with what to do; `details` are `{ file, reason }`. Nothing is changed or deleted then.
 */
export function createLmdbLedger(file: string, options: LmdbLedgerOptions = {}): LmdbLedger {
  if (typeof file !== "string" || file === "" || file.includes("\0"))
    throw optionError("ledger", "the path of a file", file);
  const settings = resolveLmdbOptions(options);
  return new LmdbLedgerInstance(file, openLedgerFile(file), settings);
}

class LmdbLedgerInstance implements LmdbLedger {
  private readonly name: string;
  private readonly file: LedgerFile;
  private readonly settings: Settings;
  private readonly holder = newHolderId();
  private readonly writer: LedgerWriter;
  private readonly jobs: Jobs;
  /** Whether the file lists us as a holder, as far as we know. */
  private registered = false;
  /** Whether there may be entries of ours. */
  private owns = false;
  private closing: Promise<void> | undefined;
  private host: LedgerHost | undefined;
  /** Ours, and not given out by `claim` yet. */
  private claimable: LedgerEntry[] = [];
  private readonly solicited = new Map<string, number>();
  private retrying: Promise<boolean> | undefined;

  constructor(name: string, file: LedgerFile, settings: Settings) {
    const { clock, leaseMs, maxUnsaved } = settings;
    this.name = name;
    this.file = file;
    this.settings = settings;
    this.jobs = createJobs(clock);
    this.writer = new LedgerWriter({
      file,
      holder: this.holder,
      maxUnsaved,
      now: () => clock.now(),
      register: () => this.register(),
      onUnsafe: (error) => this.onUnsafe(error),
    });
    this.jobs.every(PRUNE_MS, () => this.attempt(prune(file, clock.now(), settings, this.isOpen)));
    this.jobs.every(PRUNE_CURSORS_MS, () => this.attempt(pruneCursors(file, clock.now(), this.isOpen)));
    this.jobs.every(Math.floor(leaseMs / 4), async () => {
      if (this.registered) await this.attempt(file.write(() => this.putHolder()));
    });
  }

  async open(host: LedgerHost): Promise<void> {
    this.host = host;
  }

  async take(...[message]: Parameters<Ledger["take"]>): Promise<TakeResult> {
    this.assertOpen();
    if ((this.solicited.get(message.runId) ?? 0) > this.settings.clock.now()) return "solicited";
    return (await this.writer.take(message)) ? "taken" : "known";
  }

  attempted(id: string, attempts: number, error: string): void {
    if (this.isOpen()) this.writer.report(id, { state: "taken", attempts, error });
  }

  delivered(id: string, attempts: number): void {
    if (this.isOpen()) this.writer.report(id, { state: "delivered", attempts });
  }

  dead(id: string, attempts: number, error: string): void {
    if (this.isOpen()) this.writer.report(id, { state: "dead", attempts, error });
  }

  async claim(limit: number): Promise<readonly LedgerEntry[]> {
    this.assertOpen();
    if (this.claimable.length < limit) this.claimable.push(...(await this.jobs.run(this.claimNow())));
    return this.claimable.splice(0, limit);
  }

  private async claimNow(): Promise<readonly LedgerEntry[]> {
    const { clock, leaseMs } = this.settings;
    const claimer = { holder: this.holder, leaseMs, now: () => clock.now(), register: () => this.register() };
    const { entries, unreadable, error } = await claimAbandoned(this.file, claimer);
    for (const entry of entries) this.writer.hold(entry);
    if (error !== undefined) this.failed(error);
    if (unreadable > 0)
      this.alarm(
        this.ledgerError(
          `${unreadable} messages in the ledger ${this.name} cannot be read and will not be delivered. They stay in the file.`,
        ),
      );
    return entries.map(portEntry);
  }

  async deadLetters({
    limit = DEAD_LETTERS_PAGE,
    after,
  }: {
    limit?: number;
    after?: string;
  } = {}): Promise<readonly LedgerEntry[]> {
    this.assertOpen();
    await this.writer.settled();
    const letters = [...readDeadLetters(this.file.tables), ...this.writer.unsavedDead()];
    letters.sort((a, b) => a.at - b.at);
    const start = after === undefined ? 0 : letters.findIndex(({ message }) => message.id === after) + 1;
    return after !== undefined && start === 0 ? [] : letters.slice(start, start + limit).map(portEntry);
  }

  async deadLetter(id: string): Promise<LedgerEntry | undefined> {
    return (await this.deadLetters({ limit: Number.POSITIVE_INFINITY })).find(({ message }) => message.id === id);
  }

  async revive(id: string): Promise<boolean> {
    const entry = await this.reviveEntry(id);
    if (entry === undefined) return false;
    this.claimable.push(entry);
    this.host?.onClaimable();
    return true;
  }

  private async reviveEntry(id: string): Promise<LedgerEntry | undefined> {
    this.assertOpen();
    await this.writer.settled();
    const unsaved = this.writer.changeUnsavedDead(id, { state: "taken", attempts: 0 });
    if (unsaved !== undefined) return portEntry(unsaved);
    const revived = await this.change(() => {
      this.register();
      return reviveLetter(this.file.tables, this.holder, id, this.settings.clock.now(), this.writer.nextOrder());
    });
    if (revived === undefined) return undefined;
    this.writer.hold(revived);
    return portEntry(revived);
  }

  async drop(id: string): Promise<boolean> {
    this.assertOpen();
    await this.writer.settled();
    if (this.writer.changeUnsavedDead(id, { state: "delivered", attempts: 0 }) !== undefined) return true;
    return this.change(() => dropLetter(this.file.tables, id, this.settings.clock.now()));
  }

  private async change<T>(change: () => T): Promise<T> {
    try {
      return await this.jobs.run(this.file.transaction(change));
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  solicit(runId: string, until: number): void {
    this.solicited.set(runId, until);
  }

  async cursor(name: string): Promise<string | undefined> {
    return this.isOpen() ? this.writer.cursor(name) || undefined : undefined;
  }

  setCursor(name: string, value = ""): void {
    if (this.isOpen()) this.writer.setCursor(name, value);
  }

  stats(): LedgerStats {
    const { safe, unsavedCount, forgotten } = this.writer;
    return { safe, unsaved: unsavedCount, forgotten };
  }

  async flush(): Promise<void> {
    await this.jobs.settled();
    await this.writer.settled();
    if (this.writer.safe || (await this.retry())) return;
    throw this.ledgerError(
      `The ledger ${this.name} has ${this.writer.unsavedCount} of its entries in memory only: they cannot be written.`,
    );
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    this.jobs.stop();
    await this.jobs.settled();
    await this.writer.settled();
    if (!this.writer.safe && !(await this.retry())) {
      this.alarm(
        this.ledgerError(
          `The ledger ${this.name} was closed with ${this.writer.unsavedCount} of its entries in memory only: they could not be written.`,
        ),
      );
    }
    try {
      if (this.owns) await releaseAll(this.file, this.holder);
    } catch {
      // The alarm for this disk has been raised; what is left is claimed when this process ends, or by the next ledger in it.
      closedHere.add(this.holder);
    }
    await this.file.release();
  }

  private alarm(error: InboxError | undefined): void {
    this.settings.onAlarm?.(error);
    this.host?.onAlarm(error);
  }

  private readonly isOpen = (): boolean => this.closing === undefined;

  private assertOpen(): void {
    if (!this.isOpen())
      throw new InboxError("ERR_INBOX_STOPPED", `The ledger ${this.name} was closed.`, { file: this.name });
  }

  private ledgerError(message: string): InboxError {
    return new InboxError("ERR_INBOX_LEDGER", message, { file: this.name });
  }

  /** Lists us as a holder; without that, what we take would look abandoned. */
  private register(): void {
    if (this.registered) return;
    this.registered = true;
    this.owns = true;
    void this.attempt(this.file.write(() => this.putHolder()));
  }

  private putHolder(): Promise<boolean> {
    const { holders } = this.file.tables;
    return holders.batch(() => holders.put(this.holder, holderNow(this.settings.clock.now())));
  }

  private async attempt(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.failed(error);
    }
  }

  private failed(error: unknown): void {
    // The write that listed us may be the one that failed.
    this.registered = false;
    this.writer.fail(error);
  }

  private onUnsafe(error: unknown): void {
    this.registered = false;
    this.alarm(
      error instanceof InboxError
        ? error
        : this.ledgerError(`Cannot write to the ledger ${this.name}: ${String(error)}`),
    );
    this.retryAfter(FIRST_RETRY_MS);
  }

  private retryAfter(delayMs: number): void {
    this.jobs.after(delayMs, async () => {
      if (!this.writer.safe && !(await this.retry())) this.retryAfter(Math.min(delayMs * 2, LAST_RETRY_MS));
    });
  }

  /** One at a time; several callers share it. */
  private retry(): Promise<boolean> {
    this.retrying ??= this.retryNow().finally(() => {
      this.retrying = undefined;
    });
    return this.retrying;
  }

  private async retryNow(): Promise<boolean> {
    if (this.writer.safe) return true;
    this.registered = false;
    const safe = await this.writer.retry();
    if (safe) this.alarm(undefined);
    else this.registered = false;
    return safe;
  }
}

function portEntry({ message, state, attempts, at, error }: LedgerEntry | HeldEntry): LedgerEntry {
  return { message, state, attempts, at, ...(error === undefined ? {} : { error }) };
}
