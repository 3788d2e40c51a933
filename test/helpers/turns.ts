import { setImmediate as nextTurn } from "node:timers/promises";

/** Resolves in the next turn of the event loop, after every promise that is settled by then. */
export const turn = (): Promise<void> => nextTurn();

/**
 * Resolves once `holds` returns true. Looks at each turn of the event loop, since sockets, files and threads take turns
 * and no fixed time. Throws after `withinMs` milliseconds with `what`, the name of what is waited for.
 */
export async function until(holds: () => boolean, what: string, withinMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`Waited in vain for ${what}`);
    await turn();
  }
}

/**
 * Measures the turns of the event loop. The returned function ends that and returns the longest turn, in ms: the lesser
 * of wall clock and CPU time of this thread, so that other processes do not count.
 */
export function watchTurns(): () => number {
  let longest = 0;
  let wall = performance.now();
  let cpu = process.threadCpuUsage();
  const look = () => {
    const { user, system } = process.threadCpuUsage(cpu);
    longest = Math.max(longest, Math.min(performance.now() - wall, (user + system) / 1_000));
    wall = performance.now();
    cpu = process.threadCpuUsage();
  };
  let next = setImmediate(function again() {
    look();
    next = setImmediate(again);
  });
  return () => {
    clearImmediate(next);
    look();
    return longest;
  };
}
