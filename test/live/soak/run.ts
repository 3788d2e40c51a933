// Minutes of all that can happen to a real Gateway and to us, then a look into every transcript:
//
//   npm run soak [-- --minutes 10] [--seed N] [--openclaw newest]
//
// Agents speak in every way, while the connection is cut, our process is killed, and the Gateway is stopped and killed. Three
// inboxes listen: one directly, one whose connection is cut, one with a ledger file in a process that is killed.
// For each text that is wrong it prints what went between the inbox and the Gateway then: names, ids and lengths.
// Exit code 0: each text was handed over once, where it was said, and nothing else was. 1: anything else.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInboxProcess } from "../inbox-process.ts";
import { installGateway } from "../install.ts";
import { linesAbout } from "../journal.ts";
import { startProxy } from "../proxy.ts";
import { chosenReleases } from "../releases.ts";
import { type OpenStage, openStage } from "../stage.ts";
import { openInbox, type TestedInbox } from "../tested-inbox.ts";
import { breakThings } from "./faults.ts";
import { createDice } from "./random.ts";
import { startSpeakers } from "./speakers.ts";
import { isBusy, judge, readTruth, type Verdict } from "./sweep.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    openclaw: { type: "string", default: "newest" },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
if (!(minutes > 0)) throw new Error(`expected --minutes to be a number above 0, got ${values.minutes}`);
if (!Number.isInteger(seed)) throw new Error(`expected --seed to be an integer, got ${values.seed}`);

/** The longest that the Gateway may need to end what it has begun, and we to catch up on it. */
const SETTLE_MS = 240_000;
const QUIET_MS = 15_000;

process.once("SIGINT", () => process.exit(130));
const [version = ""] = chosenReleases(values.openclaw);
const installation = await installGateway(version, print);
print(`soak of ${minutes} minutes against openclaw ${version}, --seed ${seed}`);
const stage = await openStage(installation, {}, { note: true });
try {
  process.exitCode = (await soak(stage)) ? 0 : 1;
} finally {
  await stage.close(process.exitCode === 1);
}

async function soak({ gateway, operator, inbox: direct }: OpenStage): Promise<boolean> {
  const proxy = await startProxy(gateway.port);
  const cut = await openInbox(proxy.url, gateway.token, {}, { note: true });
  const killed = await createInboxProcess(`ws://127.0.0.1:${gateway.port}`, gateway.token);
  try {
    await killed.start();
    const speaking = new AbortController();
    const { script, counts, over } = await startSpeakers({ operator }, createDice(seed), speaking.signal);
    const things = { gateway, proxy, process: killed };
    const breaking = new AbortController();
    const startedAt = Date.now();
    const elapsed = () => `${String(Math.round((Date.now() - startedAt) / 1_000)).padStart(4)} s`;
    const broken = breakThings(things, createDice(seed + 1), breaking.signal, (line) => print(`${elapsed()}  ${line}`));
    await delay(minutes * 60_000);
    breaking.abort();
    const faults = await broken;
    speaking.abort();
    await over;
    print(`${elapsed()}  asked for ${script.asked.size} texts: ${list(counts)}; broken: ${list(faults)}`);
    const inboxes: Readonly<Record<string, TestedInbox>> = { direct, cut, killed };
    const verdicts = await settledVerdicts(inboxes, async () => {
      const truth = await readTruth(operator, version, script);
      return (inbox) => judge(inbox.messages.items, truth, script);
    });
    if (operator.broken() !== undefined)
      print(`THE GATEWAY BROKE BY ITSELF: "${operator.broken()}". THE REST SAYS NOTHING.`);
    return Object.entries(inboxes)
      .map(([name, inbox]) => tell(name, verdicts[name] as Verdict, inbox))
      .every(Boolean);
  } finally {
    await killed.dispose();
    await cut.stop();
    await proxy.close();
  }

  /** What is right after all is right; what is wrong has all the time to become so. */
  async function settledVerdicts(
    inboxes: Readonly<Record<string, TestedInbox>>,
    look: () => Promise<(inbox: TestedInbox) => Verdict>,
  ): Promise<Readonly<Record<string, Verdict>>> {
    const until = Date.now() + SETTLE_MS;
    for (;;) {
      await delay(QUIET_MS);
      const isEnding = Date.now() < until && (await isBusy(operator));
      const judged = await look();
      const verdicts = Object.fromEntries(Object.entries(inboxes).map(([name, inbox]) => [name, judged(inbox)]));
      const isWrong = Object.values(verdicts).some(({ lost }) => lost.length > 0);
      if (!isEnding && (!isWrong || Date.now() > until)) return verdicts;
    }
  }
}

function tell(name: string, verdict: Verdict, { journal, messages: handedOver }: TestedInbox): boolean {
  const { messages, lost, twice, other, misplaced, repeated } = verdict;
  const counts = { lost, twice, "other text": other, misplaced };
  const words = Object.entries(counts).map(([what, texts]) => `${what} ${texts.length}`);
  print(`${name}: ${messages} messages, ${words.join(", ")}, again after a kill ${repeated}`);
  for (const [what, texts] of Object.entries(counts))
    for (const finding of texts) {
      print(`  ${what}: ${finding.words}; runs ${finding.runIds.join(", ")}`);
      const given = handedOver.items.map(({ runId, sessionKey, text, recovered, completedAt: at }) => {
        const words = `HANDED OVER ${runId} (${text.length})${recovered ? " recovered" : ""}`;
        return { at, sessionKey, runIds: [runId], words };
      });
      const entries = [...journal(), ...given].sort((a, b) => a.at - b.at);
      for (const line of linesAbout(entries, finding)) print(`    ${line}`);
    }
  return Object.values(counts).every((texts) => texts.length === 0);
}

function list(counts: ReadonlyMap<string, number>): string {
  return Array.from(counts, ([name, count]) => `${name} ${count}`).join(", ");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
