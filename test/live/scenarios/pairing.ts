import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { filter, firstValueFrom } from "rxjs";
import { createDevice, createInbox, type GatewayOptions } from "../../../src/index.ts";
import { askAgent, handedOver, newSession, unique } from "../acts.ts";
import { startForwardingProxy } from "../forwarding-proxy.ts";
import { isAtLeast } from "../releases.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { openInbox } from "../tested-inbox.ts";
import { within } from "../within.ts";

/** A listener that comes from another machine, through a reverse proxy. */
export const pairingScenarios: readonly Scenario[] = [
  { name: "paired through a proxy, from another address", place: "gateway", play },
];

const CLI = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const PAIR_TIMEOUT_MS = 60_000;

async function play(stage: Stage): Promise<readonly Expectation[]> {
  const { gateway } = stage;
  const folder = await mkdtemp(path.join(os.tmpdir(), "openclaw-inbox-pairing-"));
  stage.defer(() => rm(folder, { recursive: true, force: true }));
  const proxy = await startForwardingProxy(gateway.port, "203.0.113.7");
  stage.defer(() => proxy.close());
  const { url } = proxy;
  const { token } = gateway;

  // The Gateway does not know the proxy. Before 2026.8 it lets it in, with no rights.
  const words = isAtLeast(gateway.version, "2026.8.1") ? "gateway.trustedProxies" : "does not grant operator.read";
  await pausedFor({ url, token }, words);
  await gateway.kill("SIGTERM");
  await gateway.configure({ trustedProxies: ["127.0.0.1"] });
  await gateway.start();

  // It knows the proxy, but not us.
  await pausedFor({ url, token }, "does not grant operator.read");
  const file = path.join(folder, "device.json");
  await pausedFor({ url, token, device: createDevice(file) }, "openclaw devices approve");
  await pairByCommand(stage, url, file);

  const inbox = await openInbox(url, token, { gateway: { url, token, name: "live", device: createDevice(file) } });
  stage.defer(() => inbox.stop());
  const sessionKey = newSession();
  const text = unique("Heard by a paired device.");
  await askAgent(stage.operator, sessionKey, `SAY:${text}`);
  await handedOver(inbox, sessionKey, text);

  // The token that pairing brought is enough from now on.
  const alone = createInbox({ gateway: { url, device: createDevice(file) } });
  await alone.start();
  const [link] = alone.links();
  await alone.stop();
  if (link?.state !== "live") throw new Error(`the device token alone: ${link?.state}, ${link?.reason}`);
  return [{ inbox, sessionKey, texts: [text] }];
}

/** Connects, and expects to be told these words; a Gateway that is still starting first says so. */
async function pausedFor(gateway: GatewayOptions, words: string): Promise<void> {
  const inbox = createInbox({ gateway });
  const told = firstValueFrom(inbox.links$.pipe(filter(({ state }) => state === "paused" || state === "live")));
  await inbox.start();
  const link = await within(PAIR_TIMEOUT_MS, `a connection to be told "${words}"`, told).finally(() => inbox.stop());
  if (link.state !== "paused" || link.reason?.includes(words) !== true)
    throw new Error(`expected the link to be paused for "${words}", it is ${link.state}: ${link.reason}`);
}

/** Runs `openclaw-inbox pair`, does what it prints, and waits until it says that it is done. */
async function pairByCommand({ gateway, defer }: Stage, url: string, file: string): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--import", "tsx", CLI, "pair", "--url", url, "--device", file],
    {
      env: { ...process.env, OPENCLAW_GATEWAY_TOKEN: gateway.token },
      stdio: ["ignore", "inherit", "pipe"],
    },
  );
  defer(async () => void child.kill("SIGKILL"));
  const ended = once(child, "exit") as Promise<[number | null]>;
  const command = new Promise<readonly string[]>((resolve, reject) => {
    void ended.then(([code]) => reject(new Error(`pair ended with ${code} before it printed a command`)));
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on("line", (line) => {
      const [, args] = /^ {2}openclaw (devices approve \S+)$/.exec(line) ?? [];
      if (args !== undefined) resolve(args.split(" "));
    });
  });
  await gateway.cli(...(await within(PAIR_TIMEOUT_MS, "pair to print a command", command)));
  const [code] = await within(PAIR_TIMEOUT_MS, "pair to be done", ended);
  if (code !== 0) throw new Error(`pair ended with ${code}`);
}
