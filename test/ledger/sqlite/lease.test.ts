import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { messageOf } from "../../helpers/message.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";
import { openLedger } from "../open-ledger.ts";
import { startHost } from "../start-host.ts";

const inFolder = useTemporaryFolder();
// Processes start one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

/** A living instance, and how to wait until it hears of something to claim. */
async function openLiving(): Promise<{ readonly ledger: Ledger; claimable(): Promise<void> }> {
  let heard = 0;
  let tell = () => {};
  const ledger = await openLedger(inFolder("inbox.db"), {
    onClaimable() {
      heard += 1;
      tell();
    },
  });
  onTestFinished(() => ledger.close());
  const claimable = async () => {
    while (heard === 0) await new Promise<void>((resolve) => (tell = resolve));
    heard = 0;
  };
  return { ledger, claimable };
}

const claimed = async (ledger: Ledger) => (await ledger.claim(100)).map(({ message }) => message.id);

/** Expects that what another took goes over to a living instance within two seconds of `die`. */
async function expectTakeover(die: (living: Ledger) => unknown): Promise<void> {
  const { ledger, claimable } = await openLiving();
  expect(await ledger.claim(100)).toEqual([]);
  const before = performance.now();
  await die(ledger);
  await claimable();
  expect(performance.now() - before).toBeLessThan(2_000);
  expect(await claimed(ledger)).toEqual(["a", "b"]);
}

const canUnshare = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]).status === 0;
if (!canUnshare) console.warn("SKIPPED: THE TESTS OF TWO CONTAINERS NEED ROOT ON LINUX, FOR `unshare --pid`.");
const container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

// A machine that is busy with other tests may be late.
describe("a message that an instance took", { retry: 2 }, () => {
  it("is claimed once its process was killed", async () => {
    const host = await startHost(inFolder("inbox.db"));
    for (const id of ["a", "b"]) await host.ask(`take ${id}`);
    await expectTakeover(() => host.signal("SIGKILL"));
  });

  it.runIf(process.platform === "linux")("is claimed once its process is a zombie", async () => {
    // The parent becomes a process that never waits for its child.
    const careless = ["sh", "-c", 'exec 3<&0; "$@" <&3 & exec sleep 1000', "sh"];
    const host = await startHost(inFolder("inbox.db"), careless);
    for (const id of ["a", "b"]) await host.ask(`take ${id}`);
    await expectTakeover(() => process.kill(host.pid, "SIGKILL"));
    expect(readFileSync(`/proc/${host.pid}/stat`, "utf8")).toMatch(/\) Z /);
  });

  it("is claimed once its thread was terminated while its process lives", async () => {
    const thread = new Worker(new URL("./host-thread.ts", import.meta.url), { workerData: inFolder("inbox.db") });
    await once(thread, "message");
    const { ledger, claimable } = await openLiving();
    await thread.terminate();
    await claimable();
    expect(await claimed(ledger)).toEqual(["a"]);
  });

  it("is claimed once its thread failed", async () => {
    const thread = new Worker(new URL("./host-thread.ts", import.meta.url), { workerData: inFolder("inbox.db") });
    await once(thread, "message");
    const { ledger, claimable } = await openLiving();
    thread.on("error", () => {});
    thread.postMessage("fail");
    await claimable();
    expect(await claimed(ledger)).toEqual(["a"]);
  });

  it("is claimed by the next start of a single instance", async () => {
    const host = await startHost(inFolder("inbox.db"));
    await host.ask("take a");
    host.signal("SIGKILL");
    await host.ended;
    const { ledger } = await openLiving();
    expect(await claimed(ledger)).toEqual(["a"]);
  });

  it.runIf(canUnshare)("is claimed from a dead container with the same process ids", async () => {
    const first = await startHost(inFolder("inbox.db"), container);
    const second = await startHost(inFolder("inbox.db"), container);
    // Both believe to be the same process.
    expect(first.pid).toBe(second.pid);
    expect(await first.ask("take a")).toBe("taken a");
    expect(await second.ask("take a")).toBe("known a");
    expect(await second.ask("claim")).toBe("claimed");
    first.signal("SIGKILL");
    await first.ended;
    const { claimable } = await openLiving();
    await claimable();
    expect(await second.ask("claim")).toBe("claimed a");
  });

  it("stays with an instance that is stopped, however long", async () => {
    const host = await startHost(inFolder("inbox.db"));
    await host.ask("take a");
    host.signal("SIGSTOP");
    // Opening looks for the dead. No time counts in that: there is nothing to wait for.
    const other = await openLedger(inFolder("inbox.db"));
    expect(await claimed(other)).toEqual([]);
    expect(await other.take(messageOf("b"))).toBe("elsewhere");
    await other.close();
    host.signal("SIGCONT");
    expect(await host.ask("deliver a")).toBe("delivered a");
    expect(await host.ask("claim")).toBe("claimed b");
  });

  it("is not changed by its former instance once another has it", async () => {
    const { ledger: robbed } = await openLiving();
    await robbed.take(messageOf("a"));
    // As if it had died: whoever can lock its file believes so.
    for (const name of readdirSync(inFolder("."))) if (name.includes("-lock-")) rmSync(inFolder(name));
    const { ledger: robber } = await openLiving();
    expect(await claimed(robber)).toEqual(["a"]);
    robbed.delivered("a", 1);
    robbed.dead("a", 1, "no");
    await robbed.flush();
    expect(await robber.deadLetters()).toEqual([]);
    robber.dead("a", 2, "really");
    await robber.flush();
    expect(await robbed.deadLetters()).toMatchObject([{ attempts: 2, error: "really" }]);
  });

  it("leaves no lock file behind", async () => {
    const host = await startHost(inFolder("inbox.db"));
    await host.ask("take a");
    host.signal("SIGKILL");
    await host.ended;
    const ledger = await openLedger(inFolder("inbox.db"));
    await ledger.close();
    expect(readdirSync(inFolder("."))).toEqual(["inbox.db"]);
  });
});

it("keeps no process alive while its ledger is open and idle", async () => {
  const host = await startHost(inFolder("inbox.db"));
  await host.ask("take a");
  expect(await host.ask("leave")).toBe("left");
  expect(await host.ended).toBe(0);
});
