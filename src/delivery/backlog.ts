import { loopTurns } from "../kit/background.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import { messageBytes } from "./message-bytes.ts";

export interface BacklogOptions {
  readonly claim: (limit: number) => Promise<readonly LedgerEntry[]>;
  /** Whether there are enough undelivered messages in memory. Others stay in the ledger. */
  readonly isFull: () => boolean;
  readonly deliver: (entry: LedgerEntry) => void;
  readonly onError: (error: unknown) => void;
  /** Aborted when no more may be claimed. */
  readonly signal: AbortSignal;
}

const FIRST_PAGE = 16;
const LARGEST_PAGE = 256;
/**
 * How much memory a page should take, in bytes. Texts differ in length, so the size of the next page follows from the
 * last one.
 */
const PAGE_BYTES = 4_194_304;

/**
 * Claims the undelivered messages of the ledger that belong to no living inbox. It claims page by page, as long as
 * there is room.
 */
export class Backlog {
  private readonly options: BacklogOptions;
  private round: Promise<void> | undefined;
  private limit = FIRST_PAGE;
  /** The ledger may have more. */
  private hasMore = false;

  constructor(options: BacklogOptions) {
    this.options = options;
  }

  /**
   * Claims until there is nothing more, or no room. Only one round goes on at a time: a call during a round makes it
   * look once more.
   */
  claim(): Promise<void> {
    this.hasMore = true;
    this.round ??= this.claimPages().finally(() => {
      this.round = undefined;
    });
    return this.round;
  }

  /** Continues when there may be room again. */
  continue(): void {
    if (this.hasMore && this.round === undefined && !this.options.isFull()) void this.claim();
  }

  /** Resolves when no claim is in progress. */
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
        // Closing the ledger gives back what was claimed too late.
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
