import { writeSync } from "node:fs";
import { openLedgerFile } from "../../src/ledger/lmdb-file.ts";
import { prune } from "../../src/ledger/lmdb-prune.ts";
import { dieNow } from "../chaos/death.ts";

/**
 * Prunes the ledger file that it is given and ends itself on the way: `inside` the second step, with
 * 100 entries of it removed, or `between` the first and the second. Says before how many it has removed.
 */
const [file, where] = process.argv.slice(2) as [string, "inside" | "between"];
const ledger = openLedgerFile(file);
const { entries } = ledger.tables;
let removed = 0;

function die(): never {
  writeSync(1, `${removed}\n`);
  dieNow();
}

const dying: typeof entries = {
  get: (key) => entries.get(key),
  put: (key, value) => entries.put(key, value),
  remove(key) {
    entries.remove(key);
    removed += 1;
    if (where === "inside" && removed === 600) die();
  },
  getKeys: (range) => entries.getKeys(range),
  getRange: (range) => entries.getRange(range),
  ifNoExists: (key, writes) => entries.ifNoExists(key, writes),
  ifVersion: (key, version, writes) => entries.ifVersion(key, version, writes),
  batch: (writes) => entries.batch(writes),
};

const goOn = () => {
  if (where === "between" && removed === 500) die();
  return true;
};
await prune(
  { ...ledger, tables: { ...ledger.tables, entries: dying } },
  Date.now(),
  { retainMs: 86_400_000, retainDeadMs: 604_800_000 },
  goOn,
);
