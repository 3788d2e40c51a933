import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { describeLedger } from "./conformance.ts";

describeLedger({
  name: "memory",
  make: (clock, retainMs) => createMemoryLedger({ clock, retainMs }),
  shared: false,
});
