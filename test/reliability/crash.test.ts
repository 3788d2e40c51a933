import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { messageId } from "../../src/runs/message-id.ts";
import { createFakeGateway, createTestClock, type FakeGateway } from "../../src/testing/index.ts";
import type { Death } from "../chaos/death.ts";
import { type EffectLine, readEffects } from "../chaos/effects.ts";
import { digestOf, GATEWAY } from "../chaos/emitter.ts";
import { type HostProcess, startHost } from "../chaos/host-process.ts";
import { messageOf } from "../helpers/message.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { finalOf, startProcess } from "./start-process.ts";

/**
 * The crash table of docs/reliability.md, a test a line: real processes that end themselves by
 * `kill -9` at exactly that point, and a second one that goes on.
 */
const inFolder = useTemporaryFolder();
const TEXT = "Good morning.";
const WORD = { sessionKey: "agent:main:kitchen" };

let gateway: FakeGateway;
const hosts: HostProcess[] = [];
beforeEach(async () => {
  gateway = await createFakeGateway();
  mkdirSync(inFolder("effects"));
});
afterEach(async () => {
  for (const host of hosts.splice(0)) host.kill();
  await gateway.close();
});

/** A life of a host whose handler never fails and has its effect at every call. */
function live(life: string, die?: Death): HostProcess {
  const host = startHost({
    url: gateway.url,
    token: gateway.token,
    folder: inFolder("effects"),
    ledger: inFolder("inbox.db"),
    life,
    seed: 1,
    idempotent: false,
    failRate: 0,
    retainMs: 86_400_000,
    hasty: false,
    log: false,
    ...(die && { die }),
  });
  hosts.push(host);
  return host;
}

/** A host that dies at `point` with the first message it hears; resolves with the message's id. */
async function dieAt(point: Death["point"]): Promise<string> {
  const host = live("first", { point, after: 1 });
  await host.ready;
  const runId = gateway.say(TEXT, WORD);
  expect(await host.ended).toBe("SIGKILL");
  return messageId(GATEWAY, runId);
}

/** A second host on the same ledger, until it has been live and drained. */
async function goOn(life = "second"): Promise<void> {
  const host = live(life);
  await host.ready;
  host.stop();
  expect(await host.ended).toBe(0);
}

/** The effects that a message had, by the life that had them. */
function effectsOf(id: string): readonly string[] {
  const done = (line: EffectLine) => line.what === "done" && line.id === id && line.digest === digestOf(TEXT);
  return [...readEffects(inFolder("effects"))].flatMap(([life, lines]) => lines.filter(done).map(() => life)).sort();
}

/** What the ledger file says of a message while no inbox runs. */
async function inLedger(id: string): Promise<"unknown" | "taken" | "settled"> {
  const ledger = await openLedger(inFolder("inbox.db"));
  const isTaken = (await ledger.claim(1_000)).some(({ message }) => message.id === id);
  const isNew = (await ledger.take(messageOf(id))) === "taken";
  if (isNew) ledger.delivered(id, 1);
  await ledger.close();
  return isTaken ? "taken" : isNew ? "unknown" : "settled";
}

// Each test starts processes one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

describe("a crash", () => {
  it("before a take loses no message when the Gateway's history has it", async () => {
    const id = await dieAt("before-take");
    expect(effectsOf(id)).toEqual([]);
    await goOn();
    expect(effectsOf(id)).toEqual(["second"]);
    expect(await inLedger(id)).toBe("settled");
  });

  it("before a take loses the message when no Gateway can be asked", async () => {
    expect(await inLedger(await dieAt("before-take"))).toBe("unknown");
    const first = await startProcess(inFolder("handled.db"), "works", "before-take");
    first.tell(finalOf("run"));
    expect(await first.ended).toEqual([null, "SIGKILL"]);
    const second = await startProcess(inFolder("handled.db"), "works");
    second.tell({ stop: 1_000 });
    await second.ended;
    expect(second.calls()).toEqual([]);
  });

  it("after a take leaves the message to the next start", async () => {
    const id = await dieAt("after-take");
    expect(effectsOf(id)).toEqual([]);
    expect(await inLedger(id)).toBe("taken");
    await goOn();
    expect(effectsOf(id)).toEqual(["second"]);
    await goOn("third");
    expect(effectsOf(id)).toEqual(["second"]);
  });

  it("before a delivery is recorded delivers again under the same id", async () => {
    const id = await dieAt("before-record");
    expect(effectsOf(id)).toEqual(["first"]);
    await goOn();
    expect(effectsOf(id)).toEqual(["first", "second"]);
    await goOn("third");
    expect(effectsOf(id)).toEqual(["first", "second"]);
  });

  it("after a claim leaves the message to the next claim", async () => {
    const id = await dieAt("after-take");
    expect(await live("second", { point: "in-claim", after: 1 }).ended).toBe("SIGKILL");
    expect(effectsOf(id)).toEqual([]);
    await goOn("third");
    expect(effectsOf(id)).toEqual(["third"]);
  });

  it("after a delivery is recorded repeats no message", async () => {
    const id = await dieAt("recorded");
    expect(effectsOf(id)).toEqual(["first"]);
    await goOn();
    expect(effectsOf(id)).toEqual(["first"]);
  });
});

describe("a crash during pruning", () => {
  const DAY_MS = 86_400_000;
  const YOUNG = "young";
  const TAKEN = "taken";
  const OLD = Array.from({ length: 1_200 }, (_, index) => `old-${String(index).padStart(4, "0")}`);

  /** A ledger with much to forget, one delivered id that is not to be forgotten yet, and one that was not delivered. */
  async function fill(file: string): Promise<void> {
    const clock = createTestClock(Date.now() - DAY_MS - 60_000);
    const ledger = await openLedger(file, { clock });
    await ledger.take(messageOf(TAKEN));
    await Promise.all(OLD.map((id) => ledger.take(messageOf(id))));
    for (const id of OLD) ledger.delivered(id, 1);
    await ledger.flush();
    await ledger.close();
    const now = await openLedger(file);
    await now.take(messageOf(YOUNG, { sessionKey: "agent:main:another" }));
    now.delivered(YOUNG, 1);
    await now.close();
  }

  it.each([
    ["inside a step", "inside", 1_000, 700],
    ["between two steps", "between", 500, 700],
  ])("%s leaves whole steps and forgets nothing that is young or undelivered", async (_, where, forgotten, left) => {
    const file = inFolder("inbox.db");
    await fill(file);
    const program = fileURLToPath(new URL("./prune-program.ts", import.meta.url));
    expect(() => execFileSync(process.execPath, ["--import", "tsx", program, file, where])).toThrow(
      expect.objectContaining({ signal: "SIGKILL", stdout: Buffer.from(`${forgotten}\n`) }),
    );

    const ledger = await openLedger(file);
    expect((await ledger.claim(1_000)).map(({ message }) => message)).toEqual([messageOf(TAKEN)]);
    expect(await ledger.take(messageOf(YOUNG))).toBe("known");
    const known = await Promise.all(OLD.map(async (id) => (await ledger.take(messageOf(id))) === "known"));
    expect(known.filter(Boolean)).toHaveLength(left);
    expect(known.lastIndexOf(false)).toBe(OLD.length - left - 1);
    await ledger.close();
  });
});
