import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { freePort } from "../helpers/free-port.ts";
import { type GatewayConfigInput, gatewayConfig } from "./gateway-config.ts";
import type { Installation } from "./install.ts";
import { within } from "./within.ts";

/** A real Gateway on loopback with a home, configuration and token of its own. */
export interface LiveGateway {
  /** The release it is, such as `2026.9.6`. */
  readonly version: string;
  readonly port: number;
  readonly token: string;
  /** All of its files are here. */
  readonly folder: string;
  /** The folder its agents work in. */
  readonly workspace: string;
  /** Where its log is, for a person who wants to know why it failed. */
  readonly logFile: string;
  /** Sends it the signal and resolves when its process has ended. */
  kill(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts it again on the same port with the same state. */
  start(): Promise<void>;
  /** Runs the Gateway's own command line, `openclaw ARGS`, on its host. */
  cli(...args: readonly string[]): Promise<string>;
  /** Changes its configuration, for the next `start`. */
  configure(change: Partial<GatewayConfigInput>): Promise<void>;
  /** Ends it and removes its folder, unless somebody will want to read its logs. */
  dispose(keepLogs: boolean): Promise<void>;
}

/** How a Gateway's process is started. */
export interface GatewayProcessOptions {
  /** Arguments of Node, before those of the Gateway. */
  readonly nodeArgs?: readonly string[];
}

const run = promisify(execFile);

// A busy machine takes minutes. One that is asked to end lets its runs go on for up to 315 s.
const START_TIMEOUT_MS = 240_000;
const END_TIMEOUT_MS = 330_000;
const MAX_STARTS = 3;

/** Makes a Gateway whose only model is the one at `modelUrl`. It is not started yet. */
export async function createGateway(
  installation: Installation,
  modelUrl: string,
  { nodeArgs = [] }: GatewayProcessOptions = {},
): Promise<LiveGateway> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "openclaw-inbox-gateway-"));
  const port = await freePort();
  const token = crypto.randomUUID();
  const files = {
    config: path.join(folder, "openclaw.json"),
    state: path.join(folder, "state"),
    home: path.join(folder, "home"),
  };
  const workspace = path.join(folder, "workspace");
  for (const name of [files.state, files.home, workspace]) await mkdir(name);
  const input = {
    version: installation.version,
    port,
    token,
    modelUrl,
    workspace,
    logFile: path.join(folder, "gateway.jsonl"),
  };
  let hasChannels = false;
  const configure = async (change: Partial<GatewayConfigInput> = {}): Promise<void> => {
    hasChannels = change.telegramUrl !== undefined;
    // What the Gateway has written there of its own stays: 2026.8.1 takes a file without it for damaged.
    const kept = await readFile(files.config, "utf8").catch(() => "{}");
    await writeFile(files.config, JSON.stringify({ ...JSON.parse(kept), ...gatewayConfig({ ...input, ...change }) }));
  };
  await configure();
  const logFile = path.join(folder, "gateway.log");
  let child: ChildProcess | undefined;
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await within(END_TIMEOUT_MS, `the Gateway to end after ${signal}`, ended);
  };
  return {
    version: installation.version,
    port,
    token,
    folder,
    workspace,
    logFile,
    kill,
    configure,
    async cli(...args) {
      const env = environment(installation, files, hasChannels);
      const { stdout } = await run(installation.node, [installation.entry, ...args], {
        cwd: folder,
        env,
        timeout: 60_000,
      });
      return stdout;
    },
    async start() {
      for (let attempt = 1; ; attempt += 1) {
        child = spawnGateway(installation, nodeArgs, folder, port, environment(installation, files, hasChannels));
        try {
          return await within(START_TIMEOUT_MS, `the Gateway to be ready (its log: ${logFile})`, ready(child, logFile));
        } catch (error) {
          // On a busy machine 2026.9.6 gives itself up after five seconds of waiting for its own lease.
          if (child.exitCode === null || attempt === MAX_STARTS) throw error;
          process.stdout.write(
            `THE GATEWAY ${installation.version} ENDED WHILE IT STARTED. IT IS STARTED ONCE MORE.\n`,
          );
        }
      }
    },
    async dispose(keepLogs) {
      await kill("SIGKILL");
      if (!keepLogs) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function spawnGateway(
  installation: Installation,
  nodeArgs: readonly string[],
  cwd: string,
  port: number,
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const args = [...nodeArgs, installation.entry, "gateway", "--port", String(port), "--bind", "loopback"];
  const child = spawn(installation.node, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  // It outlives a test run that a person stops, and takes its time from all that follow.
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return child;
}

// Resolves at the line the Gateway writes when it accepts connections; all its lines go to the log file.
function ready(child: ChildProcess, logFile: string): Promise<void> {
  const log = createWriteStream(logFile, { flags: "a" });
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        log.write(`${line}\n`);
        if (line.endsWith("[gateway] ready")) resolve();
      });
    }
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`the Gateway ended with ${code ?? signal}; its log: ${logFile}`)),
    );
  });
}

// Nothing of this machine's own OpenClaw may be read or written, and nothing may call out.
function environment(
  installation: Installation,
  files: { readonly config: string; readonly state: string; readonly home: string },
  hasChannels: boolean,
): NodeJS.ProcessEnv {
  return {
    PATH: `${path.dirname(installation.node)}${path.delimiter}${process.env.PATH ?? ""}`,
    HOME: files.home,
    LANG: "C.UTF-8",
    TZ: "UTC",
    TMPDIR: os.tmpdir(),
    OPENCLAW_CONFIG_PATH: files.config,
    OPENCLAW_STATE_DIR: files.state,
    OPENCLAW_DISABLE_BONJOUR: "1",
    OPENCLAW_NO_RESPAWN: "1",
    OPENCLAW_NO_AUTO_UPDATE: "1",
    OPENCLAW_EXEC_SHELL_SNAPSHOT: "0",
    ...(!hasChannels && { OPENCLAW_SKIP_CHANNELS: "1" }),
    OPENCLAW_SKIP_GMAIL_WATCHER: "1",
    OPENCLAW_SKIP_CANVAS_HOST: "1",
    OPENCLAW_SKIP_ACPX_RUNTIME_PROBE: "1",
    DO_NOT_TRACK: "1",
  };
}
