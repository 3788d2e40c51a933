import type { Inbox } from "../inbox-api.ts";
import { inSlices } from "../kit/background.ts";
import type { LedgerEntry } from "../ledger/ledger.ts";
import { countedKinds } from "../protocol/attachments.ts";
import { shownError } from "./followed-run.ts";
import type { DeadPage, DeadRow } from "./wire.ts";

/** How many dead letters a page has. */
const PAGE_ROWS = 50;
/** How many pages may be read at once. Further requests are refused. */
const MAX_READS = 4;
/** A message's id is always shorter. */
const MAX_ID_CHARS = 128;

/** Reads dead letters from the ledger, page by page, and has single ones delivered again. */
export class DeadLetters {
  private readonly inbox: Inbox;
  private readonly showText: boolean;
  /** The pages that are being read. Two requests for the same page share one read. */
  private readonly reads = new Map<string, Promise<DeadPage>>();

  constructor(inbox: Inbox, showText: boolean) {
    this.inbox = inbox;
    this.showText = showText;
  }

  /**
   * The page after the letter with that id, or the first page. Undefined when too many reads are in progress. Rejects
   * when the ledger does.
   */
  async page(after: string): Promise<DeadPage | undefined> {
    const reading = this.reads.get(after);
    if (reading !== undefined) return reading;
    if (this.reads.size >= MAX_READS || after.length > MAX_ID_CHARS) return undefined;
    const read = this.read(after).finally(() => this.reads.delete(after));
    this.reads.set(after, read);
    return read;
  }

  /** Resolves to false when there is no dead letter with this id. */
  async redeliver(id: string): Promise<boolean> {
    return id !== "" && id.length <= MAX_ID_CHARS && this.inbox.redeliver(id);
  }

  private async read(after: string): Promise<DeadPage> {
    const from = after === "" ? {} : { after };
    const letters = await this.inbox.deadLetters({ limit: PAGE_ROWS + 1, newestFirst: true, ...from });
    const rows: DeadRow[] = [];
    await inSlices(letters.slice(0, PAGE_ROWS), (letter) => rows.push(this.row(letter)));
    return { rows, hasMore: letters.length > PAGE_ROWS };
  }

  private row({ message, at, attempts, error }: LedgerEntry): DeadRow {
    const { id, gateway, runId, sessionKey, text, attachments } = message;
    const attached = countedKinds(attachments);
    const shown = error === undefined ? {} : { error: shownError(error, message, this.showText) };
    return {
      id,
      gateway,
      runId,
      sessionKey,
      at,
      attempts,
      chars: text.length,
      ...(attached !== "" && { attached }),
      ...shown,
    };
  }
}
