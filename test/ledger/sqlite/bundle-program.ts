import { messageOf } from "../../helpers/message.ts";
import { openLedger } from "../open-ledger.ts";

/** Takes a message twice on the ledger file it is given, and says what came of that. */
const ledger = await openLedger(process.argv[2] as string);
const results = [await ledger.take(messageOf("a")), await ledger.take(messageOf("a"))];
await ledger.close();
process.stdout.write(`${results.join(" ")}\n`);
