import type { Clock } from "../kit/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { fields, isTime } from "../protocol/fields.ts";

/** What {@link Progress} needs. */
export interface ProgressOptions {
  readonly gateway: string;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** How long the ledger remembers what was handed over, in ms. */
  readonly retainMs: number;
}

/**
 * A row may be told a little later than it is dated, and its message is taken a moment after. So
 * reading starts this much earlier than what was heard; the ledger knows what comes again.
 */
const OVERLAP_MS = 15_000;
/** How often the time heard is written down. After a crash, so much is read again. */
const SAVE_EVERY_MS = 10_000;
/** A Gateway's clock may run on between two looks at it, but not more than this. */
const CLOCK_TOLERANCE_MS = 60_000;
/** Sessions whose reading failed are remembered across restarts up to this many; later ones fail the whole. */
const MAX_OWED = 1_000;

/**
 * Up to when one Gateway has been heard, by its own clock, kept in the ledger: what is later is
 * new, also in a session that we have never seen. One time for all sessions, so that hearing costs
 * nothing; where reading a session failed, the time it must be read from is kept beside it.
 */
export class Progress {
  private readonly options: ProgressOptions;
  private readonly name: string;
  /** When we first met: what is older is none of our business. Undefined before that. */
  private from: number | undefined;
  private heard = 0;
  private saved = 0;
  private loaded = false;
  private owed = new Map<string, number>();
  /** Nothing is missing but what is owed; only then does hearing on mean having heard all. */
  private complete = false;
  /** The Gateway's clock less ours. */
  private offset = 0;

  constructor(options: ProgressOptions) {
    this.options = options;
    this.name = `heard ${options.gateway}`;
  }

  /** Reads what the ledger has, once: before anything is caught up. */
  async load(): Promise<void> {
    if (this.loaded) return;
    this.read(await this.options.ledger.cursor(this.name));
    this.loaded = true;
  }

  /** Whether we have never been here. */
  get isFirst(): boolean {
    return this.from === undefined;
  }

  /** What was written later than this was not heard for certain. By the Gateway's clock. */
  get since(): number {
    const { from = 0, heard } = this;
    // A message repeated after the ledger forgot it would be handed over twice.
    const overlap = this.now() - heard + OVERLAP_MS < this.options.retainMs ? OVERLAP_MS : 0;
    return Math.max(from, heard - overlap);
  }

  /** What was written later than this was not heard at all. */
  get heardUntil(): number {
    return this.heard;
  }

  /** The Gateway's clock, as far as we know it. */
  now(): number {
    return this.options.clock.now() + this.offset;
  }

  /** `hostTime` by the Gateway's clock. */
  atGateway(hostTime: number): number {
    return hostTime + this.offset;
  }

  /** The Gateway's clock reads `at`, where it says so. */
  setClock(at: number | undefined): void {
    this.offset = at === undefined ? 0 : at - this.options.clock.now();
  }

  /** The connection is new or gone: what comes now does not follow on what was heard. */
  interrupt(): void {
    if (this.complete) this.save();
    this.complete = false;
  }

  /** We first met at `at`: nothing older will ever be told. */
  begin(at: number): void {
    if (this.from !== undefined) return;
    this.from = at;
    this.heard = at;
    this.save();
  }

  /** Everything up to `at` has been heard or read, but for what is owed. */
  catchUp(at: number): void {
    this.heard = Math.max(this.heard, at);
    this.complete = true;
    this.save();
  }

  /** Something dated `at` was heard, in the order in which it was sent. */
  hear(at: unknown): void {
    if (!this.complete || !isTime(at) || at <= this.heard || at > this.now() + CLOCK_TOLERANCE_MS) return;
    this.heard = at;
    if (at - this.saved >= SAVE_EVERY_MS) this.save();
  }

  /** The session could not be read: from when it must be. False when there is no more room to remember that. */
  owe(sessionKey: string, since: number): boolean {
    if (!this.owed.has(sessionKey) && this.owed.size >= MAX_OWED) return false;
    this.owed.set(sessionKey, Math.min(since, this.owed.get(sessionKey) ?? since));
    this.save();
    return true;
  }

  /** From when the session must be read. */
  owedSince(sessionKey: string): number | undefined {
    return this.owed.get(sessionKey);
  }

  /** The sessions that could not be read. */
  owedSessions(): readonly string[] {
    return [...this.owed.keys()];
  }

  /** The session has been read. */
  settle(sessionKey: string): void {
    if (this.owed.delete(sessionKey)) this.save();
  }

  private read(kept: string | undefined): void {
    if (kept === undefined) return;
    try {
      const { from, heard, owed } = fields(JSON.parse(kept));
      if (!isTime(from) || !isTime(heard)) return;
      this.from = from;
      this.heard = heard;
      const entries = Object.entries(fields(owed)).filter((entry): entry is [string, number] => isTime(entry[1]));
      // What has come to be owed meanwhile counts, too.
      this.owed = new Map([...entries, ...this.owed]);
    } catch {
      // Written by somebody else: as if we had never been here.
    }
  }

  private save(): void {
    const { from, heard, owed, options } = this;
    if (from === undefined) return;
    this.saved = heard;
    options.ledger.setCursor(this.name, JSON.stringify({ from, heard, owed: Object.fromEntries(owed) }));
  }
}
