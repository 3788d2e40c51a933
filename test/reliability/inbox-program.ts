import { createInbox } from "../../src/index.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite/sqlite.ts";
import { death, type Point } from "../chaos/death.ts";
import { sayLast } from "../helpers/child.ts";

/** What the program is told: chat events to take in, and when to stop. */
export type Order = { readonly handle: object } | { readonly stop: number };

/** What it says. */
export type Report =
  | { readonly said: "ready" | "stopped" }
  | { readonly said: "called"; readonly runId: string; readonly attempt: number }
  | { readonly said: "took"; readonly runId: string };

/**
 * An inbox without a Gateway on the ledger file it is given; its handler `works` or `hangs` until it is
 * told to stop. With a point, the process ends itself as it first comes there.
 */
const [file, handler, point] = process.argv.slice(2) as [string, "works" | "hangs", Point | undefined];
const say = (report: Report) => process.send?.(report);

const inbox = createInbox({
  ledger: death(createSqliteLedger(file), point && { point, after: 1 }),
  deliver({ runId }, { attempt, signal }) {
    say({ said: "called", runId, attempt });
    if (handler === "works") return;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
});
inbox.messages$.subscribe(({ runId }) => say({ said: "took", runId }));

process.on("message", (order: Order) => {
  if ("handle" in order) inbox.handle(order.handle);
  else void inbox.stop({ drainMs: order.stop }).then(() => sayLast({ said: "stopped" } satisfies Report));
});

await inbox.start();
say({ said: "ready" });
