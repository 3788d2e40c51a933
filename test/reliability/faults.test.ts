import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openLedger } from "../ledger/open-ledger.ts";
import { useTemporaryFolder } from "../ledger/temporary-folder.ts";
import type { FaultReport } from "./fault-program.ts";

const inFolder = useTemporaryFolder();
vi.setConfig({ testTimeout: 180_000 });

const canTrace = process.platform === "linux" && spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
if (!canTrace) console.warn("SKIPPED: THE TESTS OF DISK FAULTS NEED LINUX AND strace (apt-get install strace).");

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

/** Runs the program under a fault, which ends as the program says so; resolves with what it reports. */
async function run(inject: string, mode: string): Promise<FaultReport> {
  const program = fileURLToPath(new URL("./fault-program.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program, inFolder("inbox.db"), mode], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(child);
  const reader = createInterface({ input: child.stdout });
  const lines = reader[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  expect(await next()).toBe("ready");
  // Only the files of the ledger, of whatever thread.
  const paths = ["", "-wal"].flatMap((suffix) => ["-P", inFolder(`inbox.db${suffix}`)]);
  const strace = spawn(
    "strace",
    ["-f", "-q", "-p", String(child.pid), ...paths, "-e", `inject=${inject}`, "-o", "/dev/null"],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  children.add(strace);
  await untilTraced(child.pid as number);
  child.stdin.write("go\n");
  if (mode === "heals") {
    expect(await next()).toBe("faulty");
    strace.kill("SIGINT");
    await once(strace, "close");
    child.stdin.write("healed\n");
  }
  const report = JSON.parse(await next()) as FaultReport;
  if (strace.exitCode === null && strace.signalCode === null) {
    strace.kill("SIGINT");
    await once(strace, "close");
  }
  child.stdin.end();
  await once(child, "close");
  return report;
}

/** Resolves when every thread of the process is traced. */
async function untilTraced(pid: number): Promise<void> {
  const isTraced = () =>
    readdirSync(`/proc/${pid}/task`).every(
      (task) => !/TracerPid:\t0\n/.test(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8")),
    );
  while (!isTraced()) await new Promise((resolve) => setImmediate(resolve));
}

describe.runIf(canTrace)("a disk with faults", () => {
  it("that takes 200 ms for each flush does not block the event loop", async () => {
    const { p99Ms, flushes, delivered } = await run("fsync,fdatasync:delay_enter=200000", "slow");
    expect(delivered).toBe(20);
    expect(flushes).toBeGreaterThan(1);
    expect(p99Ms).toBeLessThan(20);
  });

  it.each(["ENOSPC", "EIO"].flatMap((error) => [1, 2, 3, 8, 13, 21, 34].map((n) => [error, n] as const)))(
    "that fails with %s from write %i on raises one alarm and gets everything later",
    async (error, n) => {
      const report = await run(`pwrite64,pwritev,write,fdatasync,fsync:error=${error}:when=${n}+`, "heals");
      // Under the fault: delivered all the same, and one alarm. In the end: another.
      expect(report).toMatchObject({ delivered: 3, alarms: 2, unsafeUnderFault: true, safeInTheEnd: true });
      const ledger = await openLedger(inFolder("inbox.db"));
      expect(await ledger.claim(100)).toEqual([]);
      expect((await ledger.deadLetters()).map(({ message }) => message.runId)).toEqual(["dead"]);
      await ledger.close();
    },
  );
});
