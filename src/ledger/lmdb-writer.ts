import type { ProactiveMessage } from "../types.ts";
import { encodeMessage, type HeldEntry, readable, saveEntry, writeReport, writeTaken } from "./lmdb-entries.ts";
import type { LedgerFile } from "./lmdb-file.ts";
import { keyOf } from "./lmdb-key.ts";

/** Entries brought to disk in one transaction, once the disk takes them again. */
const STEP = 500;

/** What a {@link LedgerWriter} needs to know. */
export interface WriterOptions {
  readonly file: LedgerFile;
  readonly holder: number;
  /** Ids that were delivered while the disk refused them; one more forgets the oldest. */
  readonly maxUnsaved: number;
  now(): number;
  /** Makes sure that the holder is listed; called in the same turn as the write of its entries, before it. */
  register(): void;
  /** A write failed, and none had before. */
  onUnsafe(error: unknown): void;
}

/**
 * What this ledger holds: in memory as it should be, on its way to the file. While the disk
 * refuses, memory goes on alone, and `retry` brings the file up to it.
 */
export class LedgerWriter {
  /** False from the first write that failed until `retry` has brought everything to disk. */
  safe = true;
  /** Delivered ids given up because there were more than `maxUnsaved`. */
  forgotten = 0;
  private readonly options: WriterOptions;
  private readonly held = new Map<string, HeldEntry>();
  /** Held entries whose first write has not been done. */
  private readonly unwritten = new Set<string>();
  /** What `held` and the file differ in, while not safe. */
  private readonly unsaved = new Set<string>();
  private readonly unsavedDelivered = new Set<string>();
  private readonly cursors = new Map<string, string>();
  private readonly pending = new Set<Promise<unknown>>();
  private savingCursors: Promise<void> | undefined;
  private lastOrder = 0;

  constructor(options: WriterOptions) {
    this.options = options;
  }

  /** Messages and ids that are in memory only. */
  get unsavedCount(): number {
    return this.unsaved.size;
  }

  get(id: string): HeldEntry | undefined {
    return this.held.get(id);
  }

  /** Dead letters that the file does not know of yet. */
  unsavedDead(): HeldEntry[] {
    return [...this.unsaved]
      .map((id) => this.held.get(id))
      .filter((entry): entry is HeldEntry => entry?.state === "dead");
  }

  /** Changes a dead letter that the file does not know of yet; undefined when it is not such a one. */
  changeUnsavedDead(id: string, change: Pick<HeldEntry, "state" | "attempts">): HeldEntry | undefined {
    const before = this.held.get(id);
    if (before?.state !== "dead" || !this.unsaved.has(id)) return undefined;
    const { error: _, ...rest } = before;
    const entry = { ...rest, ...change, at: this.options.now() };
    this.held.set(id, entry);
    this.markUnsaved(id);
    return entry;
  }

  /** A number above all that came before, in this process and, clocks permitting, in others: microseconds since the epoch. */
  nextOrder(): number {
    this.lastOrder = Math.max(this.lastOrder + 1, this.options.now() * 1_000);
    return this.lastOrder;
  }

  /** Holds what was claimed or revived. */
  hold(entry: HeldEntry): void {
    this.held.set(entry.id, entry);
  }

  /** @throws {InboxError} `ERR_INBOX_OPTION` when the message holds what JSON cannot. */
  async take(message: ProactiveMessage): Promise<boolean> {
    const { id } = message;
    if (this.held.has(id)) return false;
    const encoded = encodeMessage(message);
    const entry: HeldEntry = {
      id,
      message,
      state: "taken",
      attempts: 0,
      at: this.options.now(),
      order: this.nextOrder(),
    };
    this.held.set(id, entry);
    this.unwritten.add(id);
    if (!this.safe) return this.takeInMemory(id);
    this.options.register();
    try {
      const isNew = await this.track(writeTaken(this.options.file, this.options.holder, entry, encoded));
      this.unwritten.delete(id);
      if (!isNew) this.held.delete(id);
      return isNew;
    } catch (error) {
      this.fail(error);
      return this.takeInMemory(id);
    }
  }

  /** What is in the file can still be read; what another inbox could not write there is not known to us. */
  private takeInMemory(id: string): boolean {
    const { entries } = this.options.file.tables;
    if (readable(() => entries.get(keyOf(id))) === undefined) {
      this.markUnsaved(id);
      return true;
    }
    this.letGo(id);
    return false;
  }

  private letGo(id: string): void {
    this.held.delete(id);
    this.unwritten.delete(id);
    this.unsaved.delete(id);
    this.unsavedDelivered.delete(id);
  }

  /** Records a change of an entry that is `taken`; anything else is none of ours, or settled. */
  report(id: string, change: Pick<HeldEntry, "state" | "attempts"> & { readonly error?: string }): void {
    const before = this.held.get(id);
    if (before?.state !== "taken") return;
    const { error: _, ...rest } = before;
    const at = change.state === "taken" ? before.at : this.options.now();
    const entry = { ...rest, ...change, at };
    this.held.set(id, entry);
    if (!this.safe) this.markUnsaved(id);
    else void this.track(this.save(entry));
  }

  private async save(entry: HeldEntry): Promise<void> {
    const { file, holder } = this.options;
    try {
      const applied = await writeReport(file, holder, entry);
      // Another inbox has taken it over, taking us for dead. Only that it was delivered matters to that one.
      const told = applied || entry.state !== "delivered" || !this.held.has(entry.id);
      if (!told) await file.transaction(() => saveEntry(file.tables, holder, entry, true));
      this.saved(entry);
    } catch (error) {
      this.fail(error);
      this.markUnsaved(entry.id);
    }
  }

  /** Lets go of a settled entry that the file has, unless it was changed meanwhile. */
  private saved(entry: HeldEntry): void {
    if (this.held.get(entry.id) !== entry) return;
    if (entry.state !== "taken") this.letGo(entry.id);
    else this.unsaved.delete(entry.id);
  }

  /** Notes that the disk refused something, whoever asked for it. */
  fail(error: unknown): void {
    if (!this.safe) return;
    this.safe = false;
    this.options.onUnsafe(error);
  }

  private markUnsaved(id: string): void {
    const entry = this.held.get(id);
    if (entry === undefined) return;
    this.unsaved.add(id);
    if (entry.state === "delivered") this.unsavedDelivered.add(id);
    if (this.unsavedDelivered.size <= this.options.maxUnsaved) return;
    const [oldest] = this.unsavedDelivered as Iterable<string> as [string];
    this.letGo(oldest);
    this.forgotten += 1;
  }

  cursor(name: string): string | undefined {
    const { cursors } = this.options.file.tables;
    return this.cursors.get(name) ?? readable(() => cursors.get(keyOf(name)))?.value;
  }

  setCursor(name: string, value: string): void {
    this.cursors.set(name, value);
    if (this.safe) this.saveCursorsSoon();
  }

  private saveCursorsSoon(): void {
    this.savingCursors ??= this.track(this.saveCursors()).finally(() => {
      this.savingCursors = undefined;
      if (this.safe && this.cursors.size > 0) this.saveCursorsSoon();
    });
  }

  /**
   * A cursor says that all before it is taken care of, so it is written only after the messages
   * that were taken before it: a crash in between repeats some reading and loses nothing.
   */
  private async saveCursors(): Promise<void> {
    await Promise.allSettled(this.pending);
    if (!this.safe) return;
    try {
      await this.saveAllCursors();
    } catch (error) {
      this.fail(error);
    }
  }

  private async saveAllCursors(): Promise<void> {
    const { cursors } = this.options.file.tables;
    const at = this.options.now();
    const saving = [...this.cursors];
    await this.options.file.write(() =>
      cursors.batch(() => {
        for (const [name, value] of saving) cursors.put(keyOf(name), { value, at });
      }),
    );
    for (const [name, value] of saving) if (this.cursors.get(name) === value) this.cursors.delete(name);
  }

  /** Tries to bring everything to disk. True when it is there, and the ledger safe again. */
  async retry(): Promise<boolean> {
    try {
      do {
        await this.saveStep();
        // The last step wrote them after all that they speak of.
        if (this.unsaved.size === 0) await this.saveAllCursors();
      } while (this.unsaved.size > 0);
    } catch {
      return false;
    }
    this.safe = true;
    return true;
  }

  private async saveStep(): Promise<void> {
    const { file, holder, register } = this.options;
    const step = [...this.unsaved].slice(0, STEP).map((id) => this.held.get(id) as HeldEntry);
    await file.transaction(() => {
      register();
      for (const entry of step) saveEntry(file.tables, holder, entry, !this.unwritten.has(entry.id));
    });
    for (const entry of step) {
      this.unwritten.delete(entry.id);
      this.saved(entry);
    }
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.pending.size > 0) await Promise.allSettled(this.pending);
  }

  private track<T>(write: Promise<T>): Promise<T> {
    this.pending.add(write);
    const done = () => this.pending.delete(write);
    write.then(done, done);
    return write;
  }
}
