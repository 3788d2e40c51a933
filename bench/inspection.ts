import { once } from "node:events";
import { createInbox } from "../src/index.ts";
import { createInspector } from "../src/inspector/index.ts";
import { startPeer } from "./peer.ts";
import { Stopwatch } from "./stopwatch.ts";

/** What to measure in one process. */
export interface InspectionTask {
  /** Whether there is an inspector, and a page that looks. */
  readonly rival: "no inspector" | "no page" | "one page";
  readonly live: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
}

const BATCHES_PER_SECOND = 10;

/**
 * What an event costs this process while a Gateway in another one speaks at an even pace, over a real
 * WebSocket; the page is a third process, which reads what it is sent.
 */
export async function measureInspection(task: InspectionTask): Promise<{ readonly cpuUs: number }> {
  const { rival, live, eventsPerSecond, seconds } = task;
  const gateway = startPeer("./socket-peer.js", String(live));
  const [address] = (await once(gateway.stdout, "data")) as [Buffer];
  const inbox = createInbox({ gateway: { url: String(address).trim(), token: "bench" }, deliver: () => {} });
  await inbox.start();
  const inspector = rival === "no inspector" ? undefined : await createInspector(inbox);
  const page = rival === "one page" && inspector ? startPeer("./inspection-page.js", inspector.url) : undefined;
  if (page !== undefined) await once(page.stdout, "data");

  const heard = async (events: number) => {
    while (inbox.stats().events < events) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  // Enough for every run to have spoken, and for the code to be compiled.
  gateway.stdin.write(`${live * 6}\n`);
  await heard(live * 6);

  const stopwatch = new Stopwatch();
  const before = inbox.stats().events;
  await stopwatch.time(async () => {
    for (let batch = 0; batch < seconds * BATCHES_PER_SECOND; batch++) {
      gateway.stdin.write(`${eventsPerSecond / BATCHES_PER_SECOND}\n`);
      await new Promise((resolve) => setTimeout(resolve, 1_000 / BATCHES_PER_SECOND));
    }
    await heard(before + eventsPerSecond * seconds);
  });
  if (inspector?.watching !== (inspector && rival === "one page")) throw new Error("The page is not as it should be");
  page?.kill();
  gateway.kill();
  return stopwatch.per(eventsPerSecond * seconds);
}
