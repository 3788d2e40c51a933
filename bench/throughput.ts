import { createFloor } from "./floor.ts";
import { createIdiomatic } from "./idiomatic.ts";
import { createOurs, createWholeInbox } from "./ours.ts";
import { checkMessages, type Rival } from "./rival.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";
import { deltaHeavy, short, Traffic } from "./traffic.ts";

/** What to measure in one process. */
export interface ThroughputTask {
  readonly rival: "floor" | "ours" | "inbox" | "idiomatic";
  readonly traffic: "delta-heavy" | "short";
  readonly live: number;
  readonly warmUpEvents: number;
  readonly events: number;
}

const rivals: Record<ThroughputTask["rival"], () => Rival> = {
  floor: createFloor,
  ours: createOurs,
  inbox: createWholeInbox,
  idiomatic: createIdiomatic,
};

// Small enough that the waiting frames do not burden the garbage collector.
const CHUNK = 500;

/** Frames as text in, messages out, among `live` runs. Making the frames is not counted. */
export async function measureThroughput(task: ThroughputTask): Promise<Cost> {
  const { live, warmUpEvents, events } = task;
  const kind = task.traffic === "short" ? short() : deltaHeavy();
  const traffic = new Traffic(kind, live);
  const rival = rivals[task.rival]();
  const stopwatch = new Stopwatch();

  async function play(frames: readonly string[]): Promise<void> {
    await stopwatch.time(async () => {
      for (const frame of frames) rival.take(frame);
      await rival.settle?.();
    });
    checkMessages(rival.messages(), traffic.takeEnded(), kind.text);
  }

  await rival.ready;
  rival.beginMany?.(traffic.runIds);
  for (const frames of traffic.opening(CHUNK)) await play(frames);
  for (let done = 0; done < warmUpEvents; done += CHUNK) await play(traffic.next(CHUNK));
  stopwatch.reset();
  for (let done = 0; done < events; done += CHUNK) await play(traffic.next(CHUNK));
  const cost = stopwatch.per(events);
  // Stopping ten thousand children takes the idiomatic parent minutes. So the process simply ends.
  if (rival.beginMany === undefined) await rival.close();
  return cost;
}
