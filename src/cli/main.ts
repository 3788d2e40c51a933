#!/usr/bin/env node
import { runCli } from "./cli.ts";
import { createTerminal } from "./terminal.ts";

// Whoever read our output has gone (`| head`): nothing is left to do, and nobody to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.stderr.on("error", () => {});

process.exitCode = await runCli(process.argv.slice(2), createTerminal(process));
