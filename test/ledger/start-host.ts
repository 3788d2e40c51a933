import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach } from "vitest";

/** A process that runs `host.ts`. */
export interface Host {
  readonly pid: number;
  /** Everything it said so far. */
  readonly lines: readonly string[];
  send(line: string): void;
  /** Sends a line and resolves with the next one that it says. */
  ask(line: string): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with its exit code, or the signal that ended it, once all it said was read. */
  readonly ended: Promise<number | string>;
}

const started = new Set<ChildProcess>();

afterEach(() => {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
});

/** Starts a host on `file`, by `wrapper` where one is given; it is killed after the test. Resolves once its ledger is open. */
export async function startHost(file: string, wrapper: readonly string[] = []): Promise<Host> {
  const program = new URL("./host.ts", import.meta.url).pathname;
  const [command = "", ...args] = [...wrapper, process.execPath, "--import", "tsx", program, file];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  started.add(child);
  // A host that was killed does not read any more.
  child.stdin.on("error", () => {});
  const reader = createInterface({ input: child.stdout });
  const lines: string[] = [];
  reader.on("line", (line) => lines.push(line));
  const ended = once(child, "close").then(([code, signal]) => {
    started.delete(child);
    return (code ?? signal) as number | string;
  });
  const nextLine = async () => ((await once(reader, "line")) as [string])[0];
  const ready = (await nextLine()).split(" ");
  const host: Host = {
    // As this process sees it, which is not how a host in a container does.
    pid: wrapper.length === 0 ? (child.pid as number) : Number(ready[1]),
    lines,
    send: (line) => void child.stdin.write(`${line}\n`),
    ask(line) {
      const answer = nextLine();
      host.send(line);
      return answer;
    },
    signal: (signal) => void child.kill(signal),
    ended,
  };
  return host;
}
