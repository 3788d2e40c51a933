import { type Clock, systemClock } from "../../src/kit/clock.ts";
import { type Death, dieNow } from "./death.ts";

/** How much sooner its timers fire. */
const HASTE = 600;
/** The ledger prunes in this rhythm. */
const PRUNE_MS = 60_000;

/**
 * The time of day, with timers that fire 600 times too early, so that a ledger prunes ten times a
 * second; and where the plan says so, a death within 3 ms of the beginning of a pruning.
 */
export function hastyClock(plan: Death | undefined): Clock {
  let left = plan?.point === "in-prune" ? plan.after : Number.POSITIVE_INFINITY;
  return {
    ...systemClock,
    setTimeout(callback, ms, keepAlive) {
      const fire = (): void => {
        (callback as () => void)();
        if (ms !== PRUNE_MS) return;
        left -= 1;
        if (left <= 0) setTimeout(dieNow, Math.random() * 3);
      };
      return systemClock.setTimeout(fire, ms / HASTE, keepAlive);
    },
  };
}
