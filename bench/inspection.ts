import { once } from "node:events";
import { startPeer } from "./peer.ts";

export interface InspectionTask {
  readonly live: number;
  /** Measured by the inboxes' clocks. */
  readonly eventsPerSecond: number;
  /** How many turns each rival has, and how many events it hears in one turn. */
  readonly turns: number;
  readonly eventsPerTurn: number;
  /** The index in {@link inspected} of the rival that is started first. */
  readonly first: number;
}

/** An inbox in its own process: whether it has an inspector, and a page. */
export interface InspectedInbox extends Pick<InspectionTask, "live" | "eventsPerSecond"> {
  readonly rival: Inspected;
}

export type Inspected = "no inspector" | "no page" | "one page";

export const inspected: readonly Inspected[] = ["no inspector", "no page", "one page"];

/** After this many turns everything is compiled, and the order of starting does not matter any more. */
const WARM_UP_TURNS = 12;

/**
 * The CPU time of an event in each rival's process, in microseconds. A Gateway in another process speaks over a real
 * WebSocket. The page is a separate process, too, and reads what it is sent.
 *
 * All rivals run at once, and each has a turn of about a tenth of a second. So a slowdown of the machine slows all of
 * them. Within a turn the inbox's clock moves by the number of events and not by real time. Otherwise a process that
 * waits most of the time would find its caches emptied by other work.
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
    // In six turns the rivals come in each of their six orders.
    inboxes.push(...inboxes.splice(0, 1));
    if (turn % 3 === 0) inboxes.reverse();
  }
  for (const { process } of inboxes) {
    process.stdin.end();
    await once(process, "exit");
  }
  return costs;
}
