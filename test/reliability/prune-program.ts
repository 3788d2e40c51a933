import { writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { sqliteStatements } from "../../src/ledger/sqlite/statements.ts";
import { dieNow } from "../chaos/death.ts";

/**
 * Prunes the ledger file that it is given as a ledger does, and ends itself on the way: `inside` the second step, before its
 * transaction ends, or `between` the first and the second. Says before how many it has removed.
 */
const [file, where] = process.argv.slice(2) as [string, "inside" | "between"];
const db = new DatabaseSync(file);
const prune = db.prepare(sqliteStatements.prune.sql);
let removed = 0;

for (const step of ["first", "second"]) {
  if (step === "second" && where === "between") break;
  db.exec("begin immediate");
  removed += prune.all("delivered", Date.now() - 86_400_000, 500).length;
  if (step === "first") db.exec("commit");
}
writeSync(1, `${removed}\n`);
dieNow();
