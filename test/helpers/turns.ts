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
  let next = setImmediate(function turn() {
    look();
    next = setImmediate(turn);
  });
  return () => {
    clearImmediate(next);
    look();
    return longest;
  };
}
