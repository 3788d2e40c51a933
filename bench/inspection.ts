import { once } from "node:events";
import { createInbox } from "../src/index.ts";
import { createInspector } from "../src/inspector/index.ts";
import { createTestClock } from "../src/testing/clock.ts";
import { startPeer } from "./peer.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";

/** What to measure in one process. */
export interface InspectionTask {
  /** Whether there is an inspector, and a page that looks. */
  readonly rival: "no inspector" | "no page" | "one page";
  readonly live: number;
  readonly eventsPerSecond: number;
  /** By the inbox's clock. */
  readonly seconds: number;
}

const WARM_UP_SECONDS = 30;

/**
 * What an event costs this process while a Gateway in another one speaks, over a real WebSocket; the page is a
 * third process, which reads what it is sent.
 *
 * The inbox's clock moves by the events that have come, not by the time they took: a process that waits most
 * of the time finds its caches emptied by whatever else the host does, now more, now less.
 */
export async function measureInspection(task: InspectionTask): Promise<Cost> {
  const { rival, live, eventsPerSecond, seconds } = task;
  const gateway = startPeer("./socket-peer.js", String(live));
  // For every rival, and before there is much in memory: starting a process makes all of that dearer to write to.
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
  const hear = async (events: number) => {
    const goal = heard + events;
    gateway.stdin.write(`${events}\n`);
    while (heard < goal) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      const more = inbox.stats().events - heard;
      clock.advance((more * 1_000) / eventsPerSecond);
      heard += more;
    }
  };
  // Every run has spoken before anyone looks.
  await hear(live * 6);
  const inspector = rival === "no inspector" ? undefined : await createInspector(inbox, { clock });
  if (rival === "one page" && inspector !== undefined) {
    page.stdin.write(`${inspector.url}updates\n`);
    await once(page.stdout, "data");
  }
  await hear(eventsPerSecond * WARM_UP_SECONDS);

  const stopwatch = new Stopwatch();
  await stopwatch.time(() => hear(eventsPerSecond * seconds));
  if (inspector?.watching !== (inspector && rival === "one page")) throw new Error("The page is not as it should be");
  page.kill();
  gateway.kill();
  return stopwatch.per(eventsPerSecond * seconds);
}
