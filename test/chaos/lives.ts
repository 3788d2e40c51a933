import { setTimeout as sleep } from "node:timers/promises";
import type { FakeGateway } from "../../src/testing/index.ts";
import type { Point } from "./death.ts";
import type { HostOptions } from "./host.ts";
import { type HostProcess, startHost } from "./host-process.ts";
import type { Random } from "./random.ts";

/** How one life is to end. The first two are up to us, the others to the host itself. */
export type End = "any-moment" | "in-recovery" | Point;

/** How often each end came about. */
export type Ends = Partial<Record<End, number>>;

/** Lives that end by `kill -9`, one after the other, and one that does not. */
export interface Lives {
  /** Starts the first life and resolves when it is ready: before that, nobody listens. */
  begin(): Promise<void>;
  /** Lives and dies as long as `mayDie` takes a death off the account; leaves the last life running. */
  dieOn(mayDie: () => boolean): Promise<void>;
  /** Has the life that goes on now stand still for so long. */
  pause(ms: number): Promise<void>;
  /** Has the last life drain and end. */
  finish(): Promise<void>;
  /** The names of the lives that were killed. */
  readonly killed: ReadonlySet<string>;
  readonly ends: Ends;
  /** What must not be: a ledger's alarms, and lives that ended by themselves. */
  readonly troubles: readonly string[];
  /** The counters of the life that was stopped. */
  stats(): Readonly<Record<string, number>>;
}

const ENDS_ANYWHERE: readonly End[] = [
  "any-moment",
  "any-moment",
  "any-moment",
  "in-recovery",
  "in-recovery",
  "before-take",
  "after-take",
  "before-record",
  "after-record",
  "in-claim",
];
/** A life that does not come to its point in so long is killed where it is. */
const LONGEST_LIFE_MS = 3_000;

/** The lives of the host called `name`. */
export function createLives(
  name: string,
  options: Omit<HostOptions, "life" | "die">,
  gateway: FakeGateway,
  random: Random,
): Lives {
  const points: readonly End[] = [
    ...ENDS_ANYWHERE,
    ...(options.hasty ? (["in-prune"] as const) : []),
    ...(options.postgres?.transactional ? (["in-transaction", "in-transaction"] as const) : []),
  ];
  const killed = new Set<string>();
  const ends: Ends = {};
  const troubles: string[] = [];
  let count = 0;
  let current: HostProcess;
  let stopping = false;

  function start(end?: End): HostProcess {
    count += 1;
    const point = end === undefined || end === "any-moment" || end === "in-recovery" ? undefined : end;
    const after = 1 + random.below(point === "in-prune" ? 10 : 20);
    current = startHost({ ...options, life: `${name}-${count}`, ...(point && { die: { point, after } }) });
    const { life, alarms, ended } = current;
    void ended.then((how) => {
      if (how === "SIGKILL") killed.add(life);
      else if (how !== 0 || !stopping) troubles.push(`${life} ended with ${how}`);
      if (!options.postgres?.halts) troubles.push(...alarms.map((alarm) => `${life}: ${alarm}`));
    });
    return current;
  }

  async function die(host: HostProcess, end: End): Promise<void> {
    // However long a busy machine takes to start a process, its life is what comes after.
    await host.opened;
    const died = await new Promise<End>((resolve) => {
      void host.ended.then(() => resolve(end));
      setTimeout(() => resolve("any-moment"), LONGEST_LIFE_MS);
      if (end === "any-moment") setTimeout(() => resolve(end), random.below(1_500));
      if (end === "in-recovery")
        void untilAsked(gateway, 1 + random.below(20)).then(
          () => resolve(end),
          () => {},
        );
    });
    host.kill();
    await host.ended;
    ends[died] = (ends[died] ?? 0) + 1;
  }

  return {
    killed,
    ends,
    troubles,
    begin: () => start().ready,
    async dieOn(mayDie) {
      // The first life is as good as any to die.
      for (let end: End = "any-moment"; troubles.length === 0 && mayDie(); ) {
        await die(current, end);
        end = random.pick(points);
        start(end);
      }
      if (count > 1) {
        // Its death is planned, and there is none left to die.
        current.kill();
        await current.ended;
        start();
      }
      await current.ready;
    },
    async pause(ms) {
      const host = current;
      host.signal("SIGSTOP");
      await sleep(ms);
      host.signal("SIGCONT");
    },
    async finish() {
      stopping = true;
      current.stop();
      await current.ended;
    },
    stats: () => current.stats() ?? {},
  };
}

/** Resolves when somebody has read so much history. */
async function untilAsked(gateway: FakeGateway, times: number): Promise<void> {
  for (let asked = 0; asked < times; asked += 1) await gateway.nextRequest("chat.history");
}
