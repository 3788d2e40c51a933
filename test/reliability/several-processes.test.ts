import { describe, expect, it, vi } from "vitest";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { finalOf, startProcess } from "./start-process.ts";

const inFolder = useTemporaryFolder();
// Processes start one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

describe("processes that share a ledger", () => {
  it("hand each message over once when all hear it at the same time", async () => {
    const both = await Promise.all([
      startProcess(inFolder("inbox.db"), "works"),
      startProcess(inFolder("inbox.db"), "works"),
    ]);
    const runIds = Array.from({ length: 500 }, (_, index) => `run-${index}`);
    for (const [index, runId] of runIds.entries()) {
      for (const one of both) one.tell(finalOf(runId, `agent:main:${index % 20}`));
    }
    const called = () => both.flatMap(({ calls }) => calls().map(({ runId }) => runId));
    await Promise.race(both.map((one) => one.until(() => called().length >= 500)));
    for (const one of both) one.tell({ stop: 30_000 });
    await Promise.all(both.map(({ ended }) => ended));
    expect(called().sort()).toEqual([...runIds].sort());
    expect(both.map(({ taken }) => taken()).reduce((sum, one) => sum + one)).toBe(500);
  });

  it("claim what one of them gives back at `stop`", async () => {
    const first = await startProcess(inFolder("inbox.db"), "hangs");
    // 16 sessions fill the handler; their second messages and a seventeenth session wait.
    const runIds = Array.from({ length: 34 }, (_, index) => `run-${String(index).padStart(2, "0")}`);
    for (const [index, runId] of runIds.entries()) first.tell(finalOf(runId, `agent:main:${index % 17}`));
    await first.until(() => first.calls().length === 16 && first.taken() === 34);
    first.tell({ stop: 50 });
    expect(await first.ended).toEqual([0, null]);
    expect(first.calls()).toHaveLength(16);

    const second = await startProcess(inFolder("inbox.db"), "works");
    await second.until(() => second.calls().length === 34);
    second.tell({ stop: 10_000 });
    await second.ended;
    const called = second.calls().map(({ runId }) => runId);
    expect([...called].sort()).toEqual(runIds);
    for (let session = 0; session < 17; session += 1) {
      const ofSession = called.filter((runId) => Number(runId.slice(4)) % 17 === session);
      expect(ofSession).toEqual([...ofSession].sort());
    }
    const third = await startProcess(inFolder("inbox.db"), "works");
    third.tell({ stop: 0 });
    await third.ended;
    expect(third.calls()).toEqual([]);
  });
});
