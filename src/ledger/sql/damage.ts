import { InboxError } from "../../errors.ts";
import type { LedgerHost } from "../ledger.ts";

/** The most ids in the error's text. */
const NAMED = 10;
/** The most ids in the error's details. */
const MAX_LISTED = 1_000;
/** The most ids that are remembered, so that none is reported twice. */
const MAX_TOLD = 100_000;

/** Reports to the host which recorded messages cannot be read, each message once. */
export class Damage {
  /** For the details of its errors: the file, or the schema. */
  private readonly where: Readonly<Record<string, string>>;
  private readonly host: () => LedgerHost | undefined;
  private readonly told = new Set<string>();

  constructor(where: Readonly<Record<string, string>>, host: () => LedgerHost | undefined) {
    this.where = where;
    this.host = host;
  }

  /** These messages cannot be read. `where` is the end of the sentence. */
  unreadable(ids: readonly string[], where: string): void {
    const untold = ids.filter((id) => !this.told.has(id));
    if (untold.length > 0)
      this.tell(`${countOf(untold)} ${where} cannot be read: ${named(untold)}. They stay there`, untold);
  }

  /** Damage was found, and these messages are lost. */
  tell(text: string, ids: readonly string[]): void {
    for (const id of ids) this.told.add(id);
    for (const id of this.told) {
      if (this.told.size <= MAX_TOLD) break;
      this.told.delete(id);
    }
    const details = { ...this.where, reason: "damaged", unreadable: ids.length, ids: ids.slice(0, MAX_LISTED) };
    this.host()?.onDamage(new InboxError("ERR_INBOX_LEDGER", text, details), ids.length);
  }
}

/** "1 message", "2 messages". */
export function countOf({ length }: { readonly length: number }, what = "message"): string {
  return `${length} ${what}${length === 1 ? "" : "s"}`;
}

/** The first ids, for a sentence. */
export function named(ids: readonly string[]): string {
  return `${ids.slice(0, NAMED).join(", ")}${ids.length > NAMED ? ", ..." : ""}`;
}
