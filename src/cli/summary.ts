import type { InboxStats } from "../report/counters.ts";

/** What an inbox came to, as the last line of `demo` and `replay`. Made to be read by a program, too: never styled. */
export function summaryLine(stats: InboxStats): string {
  const counters = ["delivered", "discarded", "errored", "aborted", "expired", "duplicates", "rejected"] as const;
  return counters.map((counter) => `${counter}=${stats[counter]}`).join(" ");
}
