import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import type { Point } from "../chaos/death.ts";
import { endOf } from "../helpers/child.ts";
import type { Order, Report } from "./inbox-program.ts";

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

/** A process with an inbox on a ledger file; it is killed after the test. Resolves once the inbox has started. */
export async function startProcess(ledger: string, handler: "works" | "hangs", dieAt?: Point) {
  const program = fileURLToPath(new URL("./inbox-program.ts", import.meta.url));
  const args = ["--import", "tsx", program, ledger, handler, ...(dieAt ? [dieAt] : [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.add(child);
  const reports: Report[] = [];
  child.on("message", (report: Report) => reports.push(report));
  const until = async (holds: () => boolean) => {
    while (!holds()) await once(child, "message");
  };
  await until(() => reports.length > 0);
  return {
    tell: (order: Order) => void child.send(order),
    until,
    ended: endOf(child),
    calls: () => reports.filter((report) => report.said === "called"),
    taken: () => reports.filter(({ said }) => said === "took").length,
  };
}

/** The order to take in the final of a run. */
export function finalOf(runId: string, sessionKey = "agent:main:main"): Order {
  return { handle: { runId, sessionKey, seq: 1, state: "final", message: { content: `Text of ${runId}` } } };
}
