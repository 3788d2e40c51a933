// A host with an inbox and a ledger, to be killed: it appends each message that its handler is given to a file.
import { appendFileSync } from "node:fs";
import { createInbox } from "../../src/index.ts";
import { GATEWAY_NAME } from "./tested-inbox.ts";

const {
  LIVE_URL: url = "",
  LIVE_TOKEN: token = "",
  LIVE_LEDGER: ledger = "",
  LIVE_DELIVERIES: deliveries = "",
} = process.env;

const inbox = createInbox({
  gateway: { url, token, name: GATEWAY_NAME },
  ledger,
  deliver: (message) => {
    appendFileSync(deliveries, `${JSON.stringify(message)}\n`);
    process.stdout.write("delivered\n");
  },
});
await inbox.start();
if (inbox.links()[0]?.state === "live") process.stdout.write("live\n");
