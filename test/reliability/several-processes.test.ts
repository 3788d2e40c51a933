import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useTemporaryFolder } from "../ledger/temporary-folder.ts";
import type { Order, Report } from "./inbox-program.ts";

const inFolder = useTemporaryFolder();
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
// Processes start one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

/** A process with an inbox on the one ledger of the test. */
async function startProcess(handler: "works" | "hangs") {
  const program = fileURLToPath(new URL("./inbox-program.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program, inFolder("inbox.lmdb"), handler], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
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
    ended: once(child, "exit"),
    calls: () => reports.filter((report) => report.said === "called"),
    taken: () => reports.filter(({ said }) => said === "took").length,
  };
}

const final = (runId: string, sessionKey = "agent:main:main") => ({
  handle: { runId, sessionKey, seq: 1, state: "final", message: { content: `Text of ${runId}` } },
});

describe("processes that share a ledger", () => {
  it("hand each message over once, though both hear it at the same time", async () => {
    const both = await Promise.all([startProcess("works"), startProcess("works")]);
    const runIds = Array.from({ length: 500 }, (_, index) => `run-${index}`);
    for (const [index, runId] of runIds.entries()) {
      for (const one of both) one.tell(final(runId, `agent:main:${index % 20}`));
    }
    for (const one of both) one.tell({ stop: 30_000 });
    await Promise.all(both.map(({ ended }) => ended));
    const called = both.flatMap(({ calls }) => calls().map(({ runId }) => runId));
    expect(called.sort()).toEqual([...runIds].sort());
    expect(both.map(({ taken }) => taken()).reduce((sum, one) => sum + one)).toBe(500);
  });

  it("take up what one of them handed back at `stop`: attempted, waiting for its session, or not yet begun", async () => {
    const first = await startProcess("hangs");
    // 16 sessions fill the handler; their second messages and a seventeenth session wait.
    const runIds = Array.from({ length: 34 }, (_, index) => `run-${String(index).padStart(2, "0")}`);
    for (const [index, runId] of runIds.entries()) first.tell(final(runId, `agent:main:${index % 17}`));
    await first.until(() => first.calls().length === 16 && first.taken() === 34);
    first.tell({ stop: 50 });
    expect(await first.ended).toEqual([0, null]);
    expect(first.calls()).toHaveLength(16);

    const second = await startProcess("works");
    await second.until(() => second.calls().length === 34);
    second.tell({ stop: 10_000 });
    await second.ended;
    const called = second.calls().map(({ runId }) => runId);
    expect([...called].sort()).toEqual(runIds);
    for (let session = 0; session < 17; session += 1) {
      const ofSession = called.filter((runId) => Number(runId.slice(4)) % 17 === session);
      expect(ofSession).toEqual([...ofSession].sort());
    }
    const third = await startProcess("works");
    third.tell({ stop: 0 });
    await third.ended;
    expect(third.calls()).toEqual([]);
  });
});
