// A host with an inbox and a ledger, to be killed: it appends each message that its handler is given to a file, and
// everything that goes between it and the Gateway to another.
import { appendFileSync } from "node:fs";
import { createInbox, gatewaySource } from "../../src/index.ts";
import { journaled } from "./journal.ts";
import { GATEWAY_NAME } from "./tested-inbox.ts";

const {
  LIVE_URL: url = "",
  LIVE_TOKEN: token = "",
  LIVE_LEDGER: ledger = "",
  LIVE_DELIVERIES: deliveries = "",
  LIVE_JOURNAL: journal = "",
} = process.env;

const inbox = createInbox({
  source: journaled(gatewaySource({ url, token, name: GATEWAY_NAME }), (entry) =>
    appendFileSync(journal, `${JSON.stringify(entry)}\n`),
  ),
  ledger,
  deliver: (message) => {
    appendFileSync(deliveries, `${JSON.stringify(message)}\n`);
    process.stdout.write("delivered\n");
  },
});
await inbox.start();
if (inbox.links()[0]?.state === "live") process.stdout.write("live\n");
