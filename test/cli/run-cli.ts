import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** A CLI in a process of its own. */
export interface RunningCli {
  readonly child: ChildProcess;
  /** What it has written to stdout so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when `words` have been written to stdout or stderr. */
  written(words: string): Promise<void>;
  /** Resolves when it is over and all its output is here. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Runs the CLI, with nothing of ours in its environment but `env`. It is killed when the test is over. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCli {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      output[name] += piece;
      child.emit("output");
    });
  }
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    child,
    ended,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    async written(words) {
      while (!output.stdout.includes(words) && !output.stderr.includes(words)) {
        const over = await Promise.race([once(child, "output").then(() => false), ended.then(() => true)]);
        if (over && !`${output.stdout}${output.stderr}`.includes(words)) {
          throw new Error(`It ended without "${words}":\n${output.stdout}${output.stderr}`);
        }
      }
    },
  };
}
