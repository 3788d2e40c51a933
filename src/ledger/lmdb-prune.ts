import { readable } from "./lmdb-entries.ts";
import type { LedgerFile, LedgerTables, SettledKind, SettledRow } from "./lmdb-file.ts";

/** Entries forgotten in one transaction. Other writers wait for it, so it is kept short. */
const STEP = 500;
/**
 * How long a cursor is kept after it was last set, in ms: 30 days. Sessions come and go, and a
 * Gateway's history of one that was silent for so long holds nothing that was missed.
 */
const RETAIN_CURSORS_MS = 30 * 86_400_000;

/** How long what is remembered, in ms. */
export interface Retention {
  readonly retainMs: number;
  readonly retainDeadMs: number;
}

function agedRows(tables: LedgerTables, kind: SettledKind, before: number): SettledRow[] {
  return [...tables.settled.getKeys({ start: [kind], end: [kind, before], limit: STEP })];
}

function pruneStep(tables: LedgerTables, kind: SettledKind, before: number): number {
  const rows = agedRows(tables, kind, before);
  for (const row of rows) {
    const [, , key] = row;
    tables.settled.remove(row);
    // Cannot be; but what is forgotten here cannot be had back.
    if (readable(() => tables.entries.get(key))?.state === "taken") continue;
    tables.entries.remove(key);
    tables.messages.remove(key);
  }
  return rows.length;
}

function agedCursors(tables: LedgerTables, before: number): string[] {
  const keys: string[] = [];
  for (const { key, value } of tables.cursors.getRange({ snapshot: false })) {
    if (value.at < before) keys.push(key);
    if (keys.length === STEP) break;
  }
  return keys;
}

/**
 * Forgets what is older than its time, oldest first, in steps of 500. Looks without writing first;
 * several processes may do it at once. `goOn` is asked before each step.
 */
export async function prune(file: LedgerFile, now: number, retention: Retention, goOn: () => boolean): Promise<void> {
  const { tables } = file;
  const horizons: [SettledKind, number][] = [
    [1, now - retention.retainMs],
    [2, now - retention.retainDeadMs],
  ];
  for (const [kind, before] of horizons) {
    while (goOn() && agedRows(tables, kind, before).length > 0)
      await file.transaction(() => pruneStep(tables, kind, before));
  }
}

/** Forgets cursors that were not set for 30 days. Reads all cursors, so it is done now and then only. */
export async function pruneCursors(file: LedgerFile, now: number, goOn: () => boolean): Promise<void> {
  const { tables } = file;
  const before = now - RETAIN_CURSORS_MS;
  while (goOn() && agedCursors(tables, before).length > 0) {
    await file.transaction(() => {
      for (const key of agedCursors(tables, before)) tables.cursors.remove(key);
    });
  }
}
