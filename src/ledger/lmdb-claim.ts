import { type HeldEntry, readable, readEntry } from "./lmdb-entries.ts";
import type { LedgerFile, LedgerTables, TakenRow } from "./lmdb-file.ts";
import { isGone, NOBODY } from "./lmdb-holder.ts";

/** Entries moved in one transaction. Other writers wait for it, so it is kept short. */
const STEP = 500;

/**
 * Holders in this process that were closed while the disk refused to let their entries go. Their
 * process lives, so only we can tell.
 */
export const closedHere = new Set<number>();

/** Who claims, and by what it judges others. */
export interface Claimer {
  readonly holder: number;
  readonly leaseMs: number;
  now(): number;
  /** Makes sure that the claimer is listed as a holder; called in the transaction. */
  register(): void;
}

/** What a claim brought. What was claimed before it failed is ours all the same. */
export interface Claimed {
  readonly entries: readonly HeldEntry[];
  /** Entries whose message cannot be read; they stay in the file. */
  readonly unreadable: number;
  readonly error?: unknown;
}

function isAbandoned(tables: LedgerTables, holder: number, { holder: me, leaseMs, now }: Claimer): boolean {
  if (holder === me) return false;
  if (holder === NOBODY || closedHere.has(holder)) return true;
  const record = tables.holders.get(holder);
  return record === undefined || isGone(record, now(), leaseMs);
}

/** Everyone who holds entries or is listed. Leaps from holder to holder, however many entries each has. */
function allHolders(tables: LedgerTables): number[] {
  const holders = new Set<number>(tables.holders.getKeys());
  for (let from = NOBODY; ; ) {
    const [row] = [...tables.taken.getKeys({ start: [from], limit: 1 })];
    if (row === undefined) return [...holders];
    holders.add(row[0]);
    from = row[0] + 1;
  }
}

/** Hands the first entries of `from` over to `to`. Call it in a transaction. */
function moveStep(
  tables: LedgerTables,
  from: number,
  to: number,
): { readonly moved: TakenRow[]; readonly more: boolean } {
  const rows = [...tables.taken.getKeys({ start: [from], end: [from + 1], limit: STEP })];
  // A row whose record is damaged is let go; the message stays, for whoever wants to look for it.
  const moved = rows.filter((row) => {
    const [, order, key] = row;
    tables.taken.remove(row);
    const record = readable(() => tables.entries.get(key));
    if (record === undefined) return false;
    tables.taken.put([to, order, key], true);
    tables.entries.put(key, { ...record, holder: to });
    return true;
  });
  const more = rows.length === STEP;
  if (!more) tables.holders.remove(from);
  return { moved, more };
}

/** What was moved to us, read outside the transaction: texts can be long. */
function readMoved(tables: LedgerTables, rows: readonly TakenRow[]): HeldEntry[] {
  return rows.flatMap(([, order, key]) => {
    const entry = readable(() => readEntry(tables, key));
    return entry === undefined ? [] : [{ ...entry, id: entry.message.id, order }];
  });
}

/** Claims what was taken and belongs to no living holder. It looks before it writes, so it is cheap when there is nothing. */
export async function claimAbandoned(file: LedgerFile, claimer: Claimer): Promise<Claimed> {
  const { tables } = file;
  const entries: HeldEntry[] = [];
  let unreadable = 0;
  try {
    // Another process may have died, or released what it held, since this turn's first read.
    file.refresh();
    for (const holder of allHolders(tables).filter((candidate) => isAbandoned(tables, candidate, claimer))) {
      for (let more = true; more; ) {
        const step = await file.transaction(() => {
          claimer.register();
          // Asked again where nobody else can write: its holder may have come back.
          return isAbandoned(tables, holder, claimer)
            ? moveStep(tables, holder, claimer.holder)
            : { moved: [], more: false };
        });
        const read = readMoved(tables, step.moved);
        unreadable += step.moved.length - read.length;
        entries.push(...read);
        more = step.more;
      }
    }
  } catch (error) {
    return { entries, unreadable, error };
  }
  return { entries: entries.sort((a, b) => a.order - b.order), unreadable };
}

/** Gives up all that `holder` holds, and the holder with it. */
export async function releaseAll(file: LedgerFile, holder: number): Promise<void> {
  for (let more = true; more; ) more = await file.transaction(() => moveStep(file.tables, holder, NOBODY).more);
}
