import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { MODES, type Mode, type ModeName } from "./modes.ts";
import { makeFolder, runTrial, type TrialProgress, type Verdict } from "./trial.ts";

/**
 * The ledger checker: `npm run chaos -- [--mode NAME]... [--seed N] [--runs N] [--kills N] [--short] [--log]`.
 * `--log` shows what the hosts log. Ends with 1 when anything was lost, duplicated or invented.
 */
const { values } = parseArgs({
  options: {
    mode: { type: "string", multiple: true },
    seed: { type: "string" },
    runs: { type: "string" },
    kills: { type: "string" },
    short: { type: "boolean", default: false },
    log: { type: "boolean", default: false },
  },
});

function wholeNumber(name: "seed" | "runs" | "kills"): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= 0) return number;
  console.error(`Expected \`--${name}\` to be an integer >= 0, got \`${text}\``);
  process.exit(2);
}

function modeNames(): readonly ModeName[] {
  const names = values.mode ?? Object.keys(MODES);
  for (const name of names) {
    if (Object.hasOwn(MODES, name)) continue;
    console.error(`Expected \`--mode\` to be one of ${Object.keys(MODES).join(", ")}, got \`${name}\``);
    process.exit(2);
  }
  return names as readonly ModeName[];
}

function showProgress({ sent, done, killed }: TrialProgress): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Ksent ${sent}, done ${done}, killed ${killed}`);
}

function isClean({ lost, duplicated, invented, disordered, left, troubles }: Verdict): boolean {
  return lost + duplicated + invented + disordered + left + troubles.length === 0;
}

function pairs(counts: object): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name}=${count}`)
    .join(" ");
}

function report(name: ModeName, seed: number, verdict: Verdict, seconds: number): void {
  const { sent, lost, duplicated, invented, disordered, repeated, failed, left, recovered, alreadyTaken } = verdict;
  console.log(
    `sent=${sent} ${pairs({ lost, duplicated, invented, disordered, seed })} mode=${name} seconds=${seconds}`,
  );
  console.log(`  handler: ${pairs({ failed, repeated, left })}; hosts: ${pairs({ recovered, alreadyTaken })}`);
  console.log(`  wire: ${pairs(verdict.faults)}`);
  if (Object.keys(verdict.ends).length > 0) console.log(`  kills: ${pairs(verdict.ends)}`);
  for (const trouble of verdict.troubles) console.log(`  TROUBLE: ${trouble}`);
}

const seed = wholeNumber("seed") ?? randomInt(1, 1_000_000_000);
const { short } = values;
// Short trials spend half their time waiting for processes to start: two at a time.
const AT_ONCE = short ? 2 : 1;

/** Resolves with whether nothing was wrong. */
async function tryMode(name: ModeName): Promise<boolean> {
  const mode: Mode = MODES[name];
  const runs = wholeNumber("runs") ?? (short ? mode.shortRuns : mode.runs);
  const kills = mode.kills === undefined ? 0 : (wholeNumber("kills") ?? (short ? mode.shortKills : mode.kills) ?? 0);
  const { halts = 0, pauses = 0, shortHalts = 0, shortPauses = 0 } = mode;
  const troubles = short ? { halts: shortHalts, pauses: shortPauses } : { halts, pauses };
  console.log(`${name}: ${mode.title}; runs=${runs} kills=${kills} seed=${seed}`);
  const folder = makeFolder();
  const startedAt = performance.now();
  const onProgress = AT_ONCE === 1 ? showProgress : () => {};
  const verdict = await runTrial({
    mode,
    seed,
    runs,
    kills,
    ...troubles,
    folder: folder.path,
    log: values.log,
    onProgress,
  });
  if (AT_ONCE === 1 && process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  if (verdict === undefined) {
    folder.remove();
    return true;
  }
  report(name, seed, verdict, Math.round((performance.now() - startedAt) / 1_000));
  if (isClean(verdict)) {
    folder.remove();
    return true;
  }
  console.log(`  FAILED. The ledgers and the handlers' files are in ${folder.path}.`);
  console.log(`  Again: npm run chaos -- --mode ${name} --seed ${seed} --runs ${runs} --kills ${kills}`);
  return false;
}

const waiting = [...modeNames()].reverse();
const results: boolean[] = [];
async function tryNext(): Promise<void> {
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) results.push(await tryMode(name));
}
await Promise.all(Array.from({ length: AT_ONCE }, tryNext));
process.exit(results.every(Boolean) ? 0 : 1);
