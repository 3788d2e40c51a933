import type { FollowedRuns, RunFilter } from "./followed-runs.ts";
import type { FoundRuns } from "./wire.ts";

/** The most characters of a search word. More are of no use. */
const MAX_WORD_CHARS = 200;

/** The runs that a page searches for by `session`, `outcome` and `origin` of its query. */
export function wantedRuns(runs: FollowedRuns, query: URLSearchParams, now: number): FoundRuns {
  const word = (name: string) => (query.get(name) ?? "").slice(0, MAX_WORD_CHARS).trim();
  const filter: RunFilter = { words: word("q").toLowerCase(), outcome: word("outcome"), origin: word("origin") };
  return { live: runs.foundLive(filter, now), settled: runs.foundSettled(filter) };
}
