import { once } from "node:events";
import { startPeer } from "./peer.ts";

export interface InspectionTask {
  readonly live: number;
  /** By the inboxes' clocks. */
  readonly eventsPerSecond: number;
  /** How often each rival's turn comes, and how many events it hears in one. */
  readonly turns: number;
  readonly eventsPerTurn: number;
  /** The place among the {@link inspected} of the one that is started first. */
  readonly first: number;
}

/** An inbox in a process of its own: whether it has an inspector, and a page that looks. */
export interface InspectedInbox extends Pick<InspectionTask, "live" | "eventsPerSecond"> {
  readonly rival: Inspected;
}

export type Inspected = "no inspector" | "no page" | "one page";

export const inspected: readonly Inspected[] = ["no inspector", "no page", "one page"];

/** By then everything is compiled, and who was started first has no more advantage or disadvantage. */
const WARM_UP_TURNS = 12;

/**
 * What an event costs each rival's process, in microseconds of CPU time, while a Gateway in another one speaks over a
 * real WebSocket; the page is a process of its own, too, and reads what it is sent.
 *
 * The rivals are all there at once, and each has a tenth of a second or so before it is the next one's turn: whatever
 * slows the machine down meets all of them. Within a turn the inbox's clock moves by the events that have come, not by
 * the time they took: a process that waits most of the time finds its caches emptied by whatever else the host does.
 */
export async function measureInspection(task: InspectionTask): Promise<Readonly<Record<Inspected, number>>> {
  const { live, eventsPerSecond, turns, eventsPerTurn, first } = task;
  const costs: Record<Inspected, number> = { "no inspector": 0, "no page": 0, "one page": 0 };
  const inboxes = [];
  for (const rival of [...inspected.slice(first), ...inspected.slice(0, first)]) {
    const process = startPeer("./inspected-inbox.js", JSON.stringify({ rival, live, eventsPerSecond }));
    await once(process.stdout, "data");
    inboxes.push({ rival, process });
  }
  for (let turn = -WARM_UP_TURNS; turn < turns; turn++) {
    for (const { rival, process } of inboxes) {
      process.stdin.write(`${eventsPerTurn}\n`);
      const [cpuUs] = (await once(process.stdout, "data")) as [Buffer];
      if (turn >= 0) costs[rival] += Number(cpuUs) / turns;
    }
    // In six turns they come in each of their six orders.
    inboxes.push(...inboxes.splice(0, 1));
    if (turn % 3 === 0) inboxes.reverse();
  }
  for (const { process } of inboxes) {
    process.stdin.end();
    await once(process, "exit");
  }
  return costs;
}
