import type { Clock } from "../../src/kit/clock.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";

/**
 * Where a process can end itself by `kill -9`:
 * - `before-take`: a message is complete, and the ledger has not heard of it.
 * - `after-take`: it is recorded, and not yet given to delivery.
 * - `before-record`: the handler has succeeded, and the ledger has not heard of that.
 * - `after-record`: the ledger has heard of it, and has not written it yet.
 * - `recorded`: that the handler succeeded is on disk.
 * - `in-transaction`: a transactional handler has written, and nothing is committed.
 * - `in-claim`: what a dead process left has just become ours.
 * - `in-prune`: some of what is old is forgotten.
 */
export type Point =
  | "before-take"
  | "after-take"
  | "before-record"
  | "after-record"
  | "recorded"
  | "in-transaction"
  | "in-claim"
  | "in-prune";

/** When this process ends itself: as it comes to `point` for the `after`-th time. */
export interface Death {
  readonly point: Point;
  readonly after: number;
}

/** Ends this process as `kill -9` does: no handler runs, nothing is flushed. */
export function dieNow(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal takes a moment; nothing may happen in it.
  for (;;);
}

/** Ends this process once it has come to the planned point as often as planned. */
export type Reach = (point: Point) => void;

export function planned(plan: Death | undefined): Reach {
  let left = plan?.after ?? Number.POSITIVE_INFINITY;
  return (point) => {
    if (plan?.point !== point) return;
    left -= 1;
    if (left <= 0) dieNow();
  };
}

/** `ledger`, with the death that is planned in it, and a clock of its own. */
export function death(ledger: Ledger, plan: Death | undefined, clock?: Clock, reach = planned(plan)): Ledger {
  return {
    open: (host) => ledger.open(clock === undefined ? host : { ...host, clock }),
    async take(message) {
      reach("before-take");
      const result = await ledger.take(message);
      if (result === "taken") reach("after-take");
      return result;
    },
    delivered(id, attempts) {
      reach("before-record");
      ledger.delivered(id, attempts);
      reach("after-record");
      if (plan?.point === "recorded") void ledger.flush().then(() => reach("recorded"));
    },
    async claim(limit) {
      const claimed = await ledger.claim(limit);
      for (const _ of claimed) reach("in-claim");
      return claimed;
    },
    attempted: (...report) => ledger.attempted(...report),
    dead: (...report) => ledger.dead(...report),
    deadLetters: (page) => ledger.deadLetters(page),
    holds: (id) => ledger.holds?.(id) ?? true,
    deadLetter: (id) => ledger.deadLetter(id),
    revive: (id) => ledger.revive(id),
    drop: (id) => ledger.drop(id),
    solicit: (runId, until) => ledger.solicit(runId, until),
    cursor: (name) => ledger.cursor(name),
    setCursor: (name, value) => ledger.setCursor(name, value),
    flush: () => ledger.flush(),
    close: () => ledger.close(),
  };
}
