import { once } from "node:events";
import { createInterface } from "node:readline";
import { createInbox } from "../src/index.ts";
import { createInspector } from "../src/inspector/index.ts";
import { createTestClock } from "../src/testing/clock.ts";
import type { InspectedInbox } from "./inspection.ts";
import { startPeer } from "./peer.ts";
import { Stopwatch } from "./stopwatch.ts";

// One of the inboxes of `inspection.ts`. Each line on stdin is a number of events. It hears that many, and prints the
// CPU time of each in microseconds.
const { rival, live, eventsPerSecond } = JSON.parse(process.argv[2] ?? "{}") as InspectedInbox;

const gateway = startPeer("./socket-peer.js", String(live));
// Started for every rival, and before memory is in use: starting a process makes later writes to memory slower.
const page = startPeer("./inspection-page.js");
const [address] = (await once(gateway.stdout, "data")) as [Buffer];
const clock = createTestClock(Date.now());
const inbox = createInbox({
  gateway: { url: String(address).trim(), token: "bench" },
  deliver: () => {},
  ttlMs: 86_400_000,
  clock,
});
await inbox.start();

let heard = 0;
async function hear(events: number): Promise<void> {
  const goal = heard + events;
  gateway.stdin.write(`${events}\n`);
  while (heard < goal) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const more = inbox.stats().events - heard;
    clock.advance((more * 1_000) / eventsPerSecond);
    heard += more;
  }
}

// Every run has spoken before a page opens.
await hear(live * 6);
const inspector = rival === "no inspector" ? undefined : await createInspector(inbox, { clock });
if (rival === "one page" && inspector !== undefined) {
  page.stdin.write(`${inspector.url}updates\n`);
  await once(page.stdout, "data");
}

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const events = Number(line);
  const stopwatch = new Stopwatch();
  await stopwatch.time(() => hear(events));
  process.stdout.write(`${stopwatch.per(events).cpuUs}\n`);
}
if (inspector?.watching !== (inspector && rival === "one page")) throw new Error("The page is not as it should be");
page.kill();
gateway.kill();
process.exit();
