import type { FollowedRuns, RunFilter } from "./followed-runs.ts";
import type { FoundRuns } from "./wire.ts";

/** A word to look for has no use for more characters. */
const MAX_WORD_CHARS = 200;

/** The runs that a page looks for: `session`, `outcome`, `origin`, each as its query has it. */
export function wantedRuns(runs: FollowedRuns, query: URLSearchParams, now: number): FoundRuns {
  const word = (name: string) => (query.get(name) ?? "").slice(0, MAX_WORD_CHARS).trim();
  const filter: RunFilter = { words: word("q").toLowerCase(), outcome: word("outcome"), origin: word("origin") };
  return { live: runs.foundLive(filter, now), settled: runs.foundSettled(filter) };
}
