#!/usr/bin/env node
import { nodeProblem } from "../kit/node-version.ts";

// The reader of our output has ended (`| head`), so nothing is left to do.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.stderr.on("error", () => {});

const problem = nodeProblem();
if (problem !== undefined) {
  process.stderr.write(`openclaw-inbox: ${problem}\n`);
  process.exit(1);
}

// Loaded here, after the check: an older Node would fail to load it, without a clear message.
const { runCli } = await import("./cli.ts");
const { createTerminal } = await import("./terminal.ts");
process.exitCode = await runCli(process.argv.slice(2), createTerminal(process));
