import type { EffectLine } from "./effects.ts";
import type { Sent } from "./emitter.ts";

/** What became of what was sent. */
export interface Tally {
  /** Messages that were sent. */
  readonly sent: number;
  /** Sent, and no handler had its effect. */
  readonly lost: number;
  /** Effects beyond the first of a message id, and calls again that no `kill -9` explains. */
  readonly duplicated: number;
  /** Effects on what nobody sent, or with another text than was sent. */
  readonly invented: number;
  /** Calls of the handler for what a process had done that was killed before it was recorded. */
  readonly repeated: number;
  /** Calls of the handler that had no effect: it failed, was aborted, or died. */
  readonly failed: number;
}

/** Compares what was sent with what the handlers did; `killed` are the lives that were ended by `kill -9`. */
export function check(
  sent: Sent,
  effects: ReadonlyMap<string, readonly EffectLine[]>,
  killed: ReadonlySet<string>,
): Tally {
  const doneBy = new Map<string, string>();
  let duplicated = 0;
  let invented = 0;
  let starts = 0;
  for (const [life, lines] of effects) {
    for (const { what, id, digest } of lines) {
      if (what === "start") starts += 1;
      if (what !== "done") continue;
      if (doneBy.has(id)) duplicated += 1;
      if (sent.get(id) !== digest) invented += 1;
      doneBy.set(id, life);
    }
  }
  const again = [...effects.values()].flat().filter(({ what }) => what === "again");
  const explained = again.filter(({ id }) => killed.has(doneBy.get(id) ?? ""));
  const lost = [...sent.keys()].filter((id) => !doneBy.has(id));
  return {
    sent: sent.size,
    lost: lost.length,
    duplicated: duplicated + again.length - explained.length,
    invented,
    repeated: explained.length,
    failed: starts - again.length - doneBy.size - duplicated,
  };
}

/**
 * How many messages had their effect before an earlier one of their session. `sessions`: the ids of each session's messages,
 * in the order in which the ledger recorded them.
 */
export function countDisordered(
  sessions: Iterable<readonly string[]>,
  effects: ReadonlyMap<string, readonly EffectLine[]>,
): number {
  const firstAt = new Map<string, bigint>();
  for (const { what, id, at } of [...effects.values()].flat()) {
    if (what === "done" && at < (firstAt.get(id) ?? at + 1n)) firstAt.set(id, at);
  }
  let disordered = 0;
  for (const ids of sessions) {
    const times = ids.flatMap((id) => firstAt.get(id) ?? []);
    disordered += times.filter((at, index) => index > 0 && at < (times[index - 1] as bigint)).length;
  }
  return disordered;
}
