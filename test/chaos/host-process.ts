import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endOf } from "../helpers/child.ts";
import type { HostOptions, HostWord } from "./host.ts";

/** One life of a host: a process that runs `host.ts`. */
export interface HostProcess {
  readonly life: string;
  /** Resolves once its ledger is open and it begins to connect; also when it ends before that. */
  readonly opened: Promise<void>;
  /** Resolves once it is live and what it knows is on disk; also when it ends before that. */
  readonly ready: Promise<void>;
  /** Resolves with the signal that ended it, or its exit code. */
  readonly ended: Promise<NodeJS.Signals | number>;
  /** What its ledger could not do. */
  readonly alarms: readonly string[];
  /** Its counters, once it was stopped. */
  stats(): Readonly<Record<string, number>> | undefined;
  kill(): void;
  signal(name: NodeJS.Signals): void;
  /** Has it drain and end. */
  stop(): void;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts one life. It ends with this process at the latest. */
export function startHost(options: HostOptions): HostProcess {
  const file = fileURLToPath(new URL("./host.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  running.add(child);
  const alarms: string[] = [];
  let stats: Readonly<Record<string, number>> | undefined;
  let isOpen = () => {};
  let isReady = () => {};
  const opened = new Promise<void>((resolve) => {
    isOpen = resolve;
  });
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  child.on("message", (word: HostWord) => {
    if (word.said === "open") isOpen();
    else if (word.said === "ready") isReady();
    else if (word.said === "alarm") alarms.push(word.error);
    else stats = word.stats;
  });
  const ended = endOf(child).then(([code, signal]) => {
    running.delete(child);
    isOpen();
    isReady();
    return (signal ?? code) as NodeJS.Signals | number;
  });
  return {
    life: options.life,
    opened,
    ready,
    ended,
    alarms,
    stats: () => stats,
    kill: () => void child.kill("SIGKILL"),
    signal: (name) => void child.kill(name),
    stop: () => void (child.connected && child.send("stop")),
  };
}
