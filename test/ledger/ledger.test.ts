import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";
import { describeLedger } from "./conformance.ts";

let folder = "";

describeLedger({
  name: "memory",
  make: (clock, retainMs) => createMemoryLedger({ clock, retainMs }),
  shared: false,
});

describeLedger({
  name: "SQLite",
  make(_clock, retainMs) {
    folder ||= mkdtempSync(join(tmpdir(), "ledger-"));
    return createSqliteLedger(join(folder, "inbox.db"), { retainMs, retainDeadMs: retainMs });
  },
  shared: true,
  cleanUp() {
    rmSync(folder, { recursive: true });
    folder = "";
  },
});
