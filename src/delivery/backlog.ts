import { loopTurns } from "../kit/background.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import { messageBytes } from "./message-bytes.ts";

export interface BacklogOptions {
  readonly claim: (limit: number) => Promise<readonly LedgerEntry[]>;
  /** There are as many undelivered messages in memory as there should be: the others stay in the ledger. */
  readonly isFull: () => boolean;
  readonly deliver: (entry: LedgerEntry) => void;
  readonly onError: (error: unknown) => void;
  /** Aborted when nothing more is to be claimed. */
  readonly signal: AbortSignal;
}

const FIRST_PAGE = 16;
const LARGEST_PAGE = 256;
/** What a page should take in memory, in bytes: texts are short or long, so the next page follows from the last. */
const PAGE_BYTES = 4_194_304;

/** Takes up the undelivered messages of the ledger that no living inbox delivers, page by page, as there is room. */
export class Backlog {
  private readonly options: BacklogOptions;
  private round: Promise<void> | undefined;
  private limit = FIRST_PAGE;
  /** There may be more in the ledger. */
  private hasMore = false;

  constructor(options: BacklogOptions) {
    this.options = options;
  }

  /** Claims until there is nothing more, or no room. One round at a time: a call during one makes it look once more. */
  claim(): Promise<void> {
    this.hasMore = true;
    this.round ??= this.claimPages().finally(() => {
      this.round = undefined;
    });
    return this.round;
  }

  /** There may be room again: goes on where there was none. */
  continue(): void {
    if (this.hasMore && this.round === undefined && !this.options.isFull()) void this.claim();
  }

  /** Resolves when nothing is being claimed. */
  claimed(): Promise<void> {
    return this.round ?? Promise.resolve();
  }

  private async claimPages(): Promise<void> {
    const { claim, deliver, isFull, onError, signal } = this.options;
    try {
      while (this.hasMore && !isFull() && !signal.aborted) {
        this.hasMore = false;
        const { limit } = this;
        const entries = await claim(limit);
        if (entries.length >= limit) this.hasMore = true;
        // What was claimed too late, the ledger lets go of when it is closed.
        if (signal.aborted) return;
        for (const entry of entries) deliver(entry);
        this.limit = nextLimit(entries);
        if (loopTurns.isOver) await loopTurns.next();
      }
    } catch (error) {
      onError(error);
    }
  }
}

function nextLimit(page: readonly LedgerEntry[]): number {
  const bytes = page.reduce((sum, { message }) => sum + messageBytes(message), 0);
  if (bytes === 0) return LARGEST_PAGE;
  return Math.max(1, Math.min(LARGEST_PAGE, Math.floor((page.length * PAGE_BYTES) / bytes)));
}
