import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { turn } from "../helpers/turns.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import type { FaultReport, FaultTrial } from "./fault-program.ts";

const inFolder = useTemporaryFolder();
vi.setConfig({ testTimeout: 600_000 });

const canTrace = process.platform === "linux" && spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
if (!canTrace) console.warn("SKIPPED: THE TESTS OF DISK FAULTS NEED LINUX AND strace (apt-get install strace).");

/** Every write, and not only a spread of them. */
const EACH = process.env["EACH_WRITE"] === "1";
/** Else so many of them. */
const SPREAD = 4;
const WRITES = "pwrite64,pwritev,pwritev2,write,writev";
const FLUSHES = "fdatasync,fsync";

/** The program that has the ledgers; one for all trials, since it takes a second to start. */
function startProgram() {
  const program = fileURLToPath(new URL("./fault-program.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", program], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid as number,
    hear: async () => (await lines.next()).value as string,
    tell: (line: string) => void child.stdin.write(`${line}\n`),
    async end() {
      child.stdin.end();
      await once(child, "close");
    },
  };
}

/** Resolves when every thread of the process is traced. */
async function untilTraced(pid: number): Promise<void> {
  const isTraced = () =>
    readdirSync(`/proc/${pid}/task`).every(
      (task) => !/TracerPid:\t0\n/.test(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8")),
    );
  while (!isTraced()) await turn();
}

/** Begins to act on the disk of a process; resolves with what ends that. */
type Fault = (pid: number, file: string) => Promise<() => Promise<void>>;

/** What `strace` does with these arguments to the calls for a ledger's file and its log, of whatever thread. */
function traced(...args: string[]): Fault {
  return async (pid, file) => {
    const paths = ["", "-wal"].flatMap((suffix) => ["-P", file + suffix]);
    const strace = spawn("strace", ["-f", "-q", "-p", String(pid), ...paths, ...args], { stdio: "ignore" });
    const closed = once(strace, "close");
    await untilTraced(pid);
    return async () => {
      strace.kill("SIGINT");
      await closed;
    };
  };
}

const inject = (what: string) => traced("-e", `inject=${what}`, "-o", "/dev/null");

/** No file can grow to more than so many bytes above what the log is now: the write that crosses that is cut short, and then none is made. */
function cut(bytes: number): Fault {
  const limit = (pid: number, soft: string) => execFileSync("prlimit", ["--pid", String(pid), `--fsize=${soft}:`]);
  return async (pid, file) => {
    limit(pid, String(statSync(`${file}-wal`).size + bytes));
    return async () => void limit(pid, "unlimited");
  };
}

/** The runs that a new process would find in the file. */
function runsIn(file: string): string[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare("select run_id from messages").all();
  db.close();
  return rows.map((row) => String(row["run_id"]));
}

describe.runIf(canTrace)("a disk with faults", () => {
  let program: ReturnType<typeof startProgram>;
  let trials = 0;

  beforeAll(() => {
    program = startProgram();
  });
  afterAll(() => program.end());

  /** Runs a trial under a fault. */
  async function run(disk: FaultTrial["disk"], fault: Fault): Promise<FaultReport & { readonly file: string }> {
    const file = inFolder(`inbox-${++trials}.db`);
    program.tell(JSON.stringify({ file, disk } satisfies FaultTrial));
    expect(await program.hear()).toBe("ready");
    const end = await fault(program.pid, file);
    program.tell("go");
    if (disk === "lasts") {
      const { safe } = JSON.parse(await program.hear()) as { readonly safe: readonly string[] };
      expect(runsIn(file)).toEqual(expect.arrayContaining([...safe]));
      await end();
      program.tell("well");
    }
    const report = JSON.parse(await program.hear()) as FaultReport;
    await end();
    program.tell("stop");
    expect(await program.hear()).toBe("stopped");
    return { ...report, file };
  }

  /** The calls of one message, from its final until it is delivered and all of that is on disk, by number: each, or a spread. */
  async function places(calls: string): Promise<readonly number[]> {
    const log = inFolder("calls");
    await run("well", traced("-e", `trace=${calls}`, "-o", log));
    const count = readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => / = \d+$/.test(line)).length;
    expect(count).toBeGreaterThan(1);
    const step = EACH ? 1 : Math.ceil(count / SPREAD);
    return Array.from({ length: count }, (_, index) => index + 1).filter((n) => (n - 1) % step === 0 || n === count);
  }

  /** Delivered all the same under the fault, one alarm, and in the end all of it is on disk. */
  async function expectHealed(trial: Promise<FaultReport & { readonly file: string }>, name: string): Promise<void> {
    const { file, ...report } = await trial;
    expect(report, name).toMatchObject({ delivered: 3, alarms: 2, safeInTheEnd: true });
    const ledger = await openLedger(file);
    expect(await ledger.claim(100), name).toEqual([]);
    expect(
      (await ledger.deadLetters()).map(({ message }) => message.runId),
      name,
    ).toEqual(["dead"]);
    await ledger.close();
  }

  // A machine that is busy with other tests may be late.
  it("keeps the event loop turning while flushes take 200 ms", { retry: 2 }, async () => {
    const { p99Ms, flushes, delivered } = await run("slow", inject(`${FLUSHES}:delay_enter=200000`));
    expect(delivered).toBe(20);
    expect(flushes).toBeGreaterThan(1);
    expect(p99Ms).toBeLessThan(20);
  });

  it("loses nothing when a write is cut short", async () => {
    // A frame of the log is 24 bytes and a page of 4,096.
    const places = [1, 23, 24, 25, 4_119, 4_120, 4_121, 8_300, 12_000, 16_481, 20_000, 24_700];
    for (const bytes of EACH ? places : places.filter((_, index) => index % SPREAD === 0))
      await expectHealed(run("lasts", cut(bytes)), `cut after ${bytes} bytes`);
  });

  describe.each([
    ["writes", WRITES],
    ["flushes", FLUSHES],
  ] as const)("whose %s fail", (_, calls) => {
    it.each(["ENOSPC", "EIO"])("from any of a message on by %s lose nothing", async (error) => {
      for (const n of await places(calls))
        await expectHealed(run("lasts", inject(`${calls}:error=${error}:when=${n}+`)), `${error} from ${n} on`);
    });

    it("once at any of a message lose nothing", async () => {
      for (const n of await places(calls))
        await expectHealed(run("passes", inject(`${calls}:error=EIO:when=${n}`)), `EIO at ${n}`);
    });
  });
});
