import { createInbox } from "../../src/index.ts";

/** Connects to the Gateway it is given, and says what became of the link. */
async function main(): Promise<void> {
  const [url = "", token = ""] = process.argv.slice(2);
  const inbox = createInbox({ gateway: { url, token } });
  await inbox.start();
  process.stdout.write(`${inbox.links()[0]?.state}\n`);
  await inbox.stop();
}

void main();
