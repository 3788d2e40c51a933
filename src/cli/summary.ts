import type { InboxStats } from "../report/counters.ts";

/** The counters, as the last line of `demo` and `replay`. Programs read this line, so it has no styles. */
export function summaryLine(stats: InboxStats): string {
  const counters = ["delivered", "discarded", "errored", "aborted", "expired", "duplicates", "rejected"] as const;
  return counters.map((counter) => `${counter}=${stats[counter]}`).join(" ");
}
