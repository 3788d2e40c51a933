import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ProactiveMessage } from "../../src/index.ts";
import { createHeard } from "./heard.ts";
import type { JournalEntry } from "./journal.ts";
import type { TestedInbox } from "./tested-inbox.ts";
import { within } from "./within.ts";

/** An inbox with a ledger file in a process of its own, which can be killed and started again. */
export interface InboxProcess extends TestedInbox {
  /** Resolves when its link is live. */
  start(): Promise<void>;
  /** Kills it (`SIGKILL`): it has no chance to say goodbye. */
  kill(): Promise<void>;
  dispose(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("./inbox-program.ts", import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** Makes the ledger and the file that the handler appends each message to. Nothing is started yet. */
export async function createInboxProcess(url: string, token: string): Promise<InboxProcess> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "openclaw-inbox-process-"));
  const deliveries = path.join(folder, "deliveries.ndjson");
  const journal = path.join(folder, "journal.ndjson");
  const messages = createHeard<ProactiveMessage>();
  const environment = {
    ...process.env,
    LIVE_URL: url,
    LIVE_TOKEN: token,
    LIVE_LEDGER: path.join(folder, "inbox.db"),
    LIVE_DELIVERIES: deliveries,
    LIVE_JOURNAL: journal,
  };
  // The file is the truth, what the process prints only says when to look: a killed one may not have come to print.
  const readDeliveries = async (): Promise<void> => {
    const lines = (await readFile(deliveries, "utf8").catch(() => "")).split("\n").filter(Boolean);
    for (const line of lines.slice(messages.items.length)) messages.add(JSON.parse(line) as ProactiveMessage);
  };
  let reading = Promise.resolve();
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    reading = reading.then(readDeliveries);
    await reading;
  };
  return {
    messages,
    journal() {
      if (!existsSync(journal)) return [];
      // A killed process may have written half a line.
      const lines = readFileSync(journal, "utf8").split("\n");
      return lines.flatMap((line) => (/^\{.*\}$/.test(line) ? (JSON.parse(line) as JournalEntry) : []));
    },
    kill,
    async start() {
      const started = spawn(process.execPath, ["--import", "tsx", PROGRAM], {
        env: environment,
        stdio: ["ignore", "pipe", "inherit"],
      });
      child = started;
      // It would outlive a test run that a person stops.
      const end = () => void started.kill("SIGKILL");
      process.once("exit", end);
      started.once("exit", () => process.off("exit", end));
      const live = new Promise<void>((resolve, reject) => {
        started.once("exit", (code, signal) =>
          reject(new Error(`the process with the inbox ended with ${code ?? signal}`)),
        );
        createInterface({ input: started.stdout }).on("line", (line) => {
          if (line === "live") resolve();
          if (line === "delivered") reading = reading.then(readDeliveries);
        });
      });
      // It is killed later on; by then nobody waits for this promise any more.
      live.catch(() => undefined);
      await within(START_TIMEOUT_MS, "the process with the inbox to be live", live);
    },
    async dispose() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
