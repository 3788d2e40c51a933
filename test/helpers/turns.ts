import { setImmediate as nextTurn } from "node:timers/promises";

/** Ends in the next turn of the event loop. No time passes, and every promise that is due has come through. */
export const turn = (): Promise<void> => nextTurn();

/**
 * Ends once `holds` does. What is waited for is some turns of the event loop away (a socket, a file, a thread), never a
 * time. Throws after `withinMs`, naming `what`.
 */
export async function until(holds: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`Waited in vain for ${what}`);
    await turn();
  }
}

/**
 * Watches the turns of the event loop. The function that it gives ends that and says how long the longest was, in ms:
 * by the wall clock or by this thread's CPU time, whichever is less, so that other processes are no stall of ours.
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
