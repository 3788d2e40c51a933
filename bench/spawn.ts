import { createIdiomatic } from "./idiomatic.ts";
import { createOurs } from "./ours.ts";
import { checkMessages, type Rival } from "./rival.ts";
import { type Cost, Stopwatch } from "./stopwatch.ts";
import { short } from "./traffic.ts";

/** What to measure in one process. */
export interface SpawnTask {
  readonly rival: "ours" | "idiomatic";
  /** How many other runs are live. */
  readonly live: number;
  readonly runs: number;
}

/** The cost of one run from its first delta to its final, with parsing, among `live` others. */
export async function measureSpawn({ rival, live, runs }: SpawnTask): Promise<Cost> {
  const kind = short();
  const [first, final] = [kind.frames[0], kind.frames.at(-1)].map(
    (parts) => (runId: string) => parts?.join(runId) ?? "",
  );
  if (first === undefined || final === undefined) throw new Error("The recorded run has no frames");
  const contender: Rival = rival === "ours" ? createOurs() : createIdiomatic();
  const bystanders = Array.from({ length: live }, (_, i) => `bystander-${i}`);
  if (contender.beginMany) contender.beginMany(bystanders);
  else for (const runId of bystanders) contender.take(first(runId));

  const stopwatch = new Stopwatch();
  const warmUp = Math.ceil(runs / 5);
  for (let done = 0; done < warmUp + runs; done++) {
    if (done === warmUp) stopwatch.reset();
    const runId = `run-${done}`;
    const frames = [first(runId), final(runId)];
    await stopwatch.time(() => {
      for (const frame of frames) contender.take(frame);
    });
    checkMessages(contender.messages(), [runId], kind.text);
  }
  const cost = stopwatch.per(runs);
  // Stopping ten thousand children takes this parent as long again. So the process simply ends.
  if (rival === "ours") await contender.close();
  return cost;
}
