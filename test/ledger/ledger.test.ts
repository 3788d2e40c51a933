import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLmdbLedger } from "../../src/ledger/lmdb.ts";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { describeLedger } from "./conformance.ts";

let folder = "";

describeLedger({ name: "memory", open: (clock, retainMs) => createMemoryLedger({ clock, retainMs }) });

describeLedger({
  name: "LMDB",
  open(clock, retainMs) {
    folder = mkdtempSync(join(tmpdir(), "ledger-"));
    return createLmdbLedger(join(folder, "inbox.lmdb"), { clock, retainMs, retainDeadMs: retainMs });
  },
  cleanUp: () => rmSync(folder, { recursive: true }),
});
