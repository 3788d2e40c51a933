import { askInRounds, type TaskOf } from "./ask.ts";
import type { Effort } from "./effort.ts";
import { atMost, type Section } from "./report.ts";
import { digits, spread, withSpread } from "./spread.ts";

const outages: readonly (readonly [string, TaskOf<"burst">])[] = [
  ["10,000 sessions, a message in each", { gateways: 1, sessions: 10_000, messages: 10_000, chars: 500 }],
  ["one session, 20,000 messages in it", { gateways: 1, sessions: 1, messages: 20_000, chars: 200 }],
  ["50 Gateways at once, 20 sessions each", { gateways: 50, sessions: 20, messages: 20, chars: 500 }],
];

export async function burstSection({ fewRounds, everything }: Effort): Promise<Section> {
  const measured = everything ? outages : outages.slice(0, 1);
  const answers = await askInRounds(
    "burst",
    measured.map(([, task]) => task),
    fewRounds,
  );
  const of = (row: number, field: "seconds" | "cpuSeconds" | "requests" | "longestMs" | "grownMib") =>
    spread((answers[row] ?? []).map((answer) => answer[field]));
  return {
    title: "After an outage",
    text: `A fake Gateway in another process cuts every socket, and its agents speak before anybody is back. Measured is the time from
the first hello after that until every message is delivered and every link is live. Each message is checked. The ledger is in
memory. The delay is the longest time that the event loop was blocked, with the work of other processes. The memory is what
the process grew by. The Gateway's process works meanwhile, on the same machine.`,
    header: ["", "seconds", "CPU s of the inbox", "requests", "longest delay, ms", "MiB more"],
    rows: measured.map(([name], row) => [
      name,
      withSpread(of(row, "seconds")),
      digits(of(row, "cpuSeconds").median),
      digits(of(row, "requests").median),
      digits(of(row, "longestMs").median),
      digits(of(row, "grownMib").median),
    ]),
    budgets: [atMost("10,000 sessions caught up after an outage", 3, " s", of(0, "seconds"), 30)],
  };
}
