// A host is killed while it handles a message, and started again with the same ledger file.
// Watch for: the second host gets that message again, under the same id, and then the message that was missed.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInbox, type ProactiveMessage } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { lastValueFrom, take } from "rxjs";

const [program = "", host, folder, url = "", token = ""] = process.argv.slice(1);
await (host === undefined ? killAndStartAgain() : listen());

async function listen(): Promise<void> {
  const deliver = ({ id, text, recovered }: ProactiveMessage) => {
    console.log(`${host}: ${text} (${id.slice(0, 8)}${recovered ? ", caught up on" : ""})`);
    if (host === "first host") process.kill(process.pid, "SIGKILL");
  };
  const inbox = createInbox({ gateway: { url, token }, ledger: `${folder}/inbox.db`, deliver });
  const bothDelivered = lastValueFrom(inbox.deliveries$.pipe(take(2)));
  await inbox.start();
  process.send?.("live");
  await bothDelivered;
  await inbox.stop();
}

async function killAndStartAgain(): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/openclaw-inbox-`);
  const gateway = await createFakeGateway();
  const start = (name: string) => fork(program, [name, folder, gateway.url, gateway.token]);
  const first = start("first host");
  await once(first, "message");
  gateway.say("The report is ready.", { sessionKey: "agent:main:team", origin: "cron" });
  await once(first, "exit");
  gateway.say("Lunch is here.", { sessionKey: "agent:main:team", origin: "cron" });
  await once(start("second host"), "exit");
  await gateway.close();
  rmSync(folder, { recursive: true });
}
