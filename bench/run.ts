import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { burstSection } from "./burst-section.ts";
import { durableSection } from "./durable-section.ts";
import { brief, type Effort, full } from "./effort.ts";
import { loadingSection } from "./loading-section.ts";
import { type Budget, budgetTable, isKept, isKeptWithSlack, type Section, sectionText } from "./report.ts";
import {
  distinctSection,
  inspectionSection,
  latencySection,
  longReplySection,
  memorySection,
  socketSection,
  spawnSection,
} from "./sections.ts";
import { digits } from "./spread.ts";
import { cpuTimes, stolenSince } from "./steal.ts";
import { throughputSection } from "./throughput-section.ts";

/** By how much a brief run may miss a budget. It measures little, while the machine does other work. */
const SLACK = 1.25;

/** How often a brief run repeats a section that misses a budget, since other work may have disturbed it. */
const BRIEF_ATTEMPTS = 3;

const root = new URL("../../", import.meta.url);
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

async function measure(effort: Effort): Promise<readonly Section[]> {
  const parts = effort.everything
    ? [
        throughputSection,
        durableSection,
        latencySection,
        burstSection,
        spawnSection,
        socketSection,
        memorySection,
        longReplySection,
        distinctSection,
        inspectionSection,
        loadingSection,
      ]
    : [
        throughputSection,
        durableSection,
        latencySection,
        burstSection,
        spawnSection,
        memorySection,
        longReplySection,
        loadingSection,
      ];
  const sections: Section[] = [];
  for (const part of parts) {
    let section = await part(effort);
    for (let attempt = 1; values.check && attempt < BRIEF_ATTEMPTS && section.budgets.some(isMissed); attempt++) {
      console.log(`${budgetTable(section.budgets)}\nMissed: measured again\n`);
      section = await part(effort);
    }
    console.log(sectionText(section));
    sections.push(section);
  }
  return sections;
}

function isMissed(budget: Budget): boolean {
  return !(values.check ? isKeptWithSlack(budget, SLACK) : isKept(budget));
}

/** The commit at the start, since the code was compiled from it. */
function currentCommit(): string {
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: fileURLToPath(root) })
    .toString()
    .trim();
}

function document(
  sections: readonly Section[],
  budgets: readonly Budget[],
  commit: string,
  stolen: number | undefined,
): string {
  const [cpu] = cpus();
  const load = loadavg()[2]?.toFixed(1);
  const gib = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} cores of ${cpu?.model.trim() ?? "an unknown model"}, ${gib} GiB`;
  const date = new Date().toISOString().slice(0, 10);
  const notes = readFileSync(new URL("bench/notes.md", root), "utf8");
  // What people come for first: the section about peers is the second, that about live runs the first.
  const charts = [...sections.slice(1), ...sections.slice(0, 1)].flatMap(({ chart }) =>
    chart === undefined ? [] : `![${chart.alt}](images/${chart.file})`,
  );
  return `# Benchmarks

${charts.join("\n\n")}

Written by \`npm run bench\` on ${date}: ${machine}, Node ${process.version}, commit ${commit}.
The machine's load average over the last quarter of an hour was ${load}. Above 1 or so, other processes were at work, too.
${stolen === undefined ? "" : `It is a virtual machine, and its host gave ${digits(stolen)} % of its time to others.\n`}
Every figure comes from a process of its own. Rivals take turns, round after round. A ratio compares two measurements of the
same round. The tables have the median and, in brackets, the least and the most.

\`npm run bench -- --check\` measures briefly, beside whatever else the machine does. It fails when a budget is missed by more than
${Math.round((SLACK - 1) * 100)} %, ${BRIEF_ATTEMPTS} times in a row. Times by the clock have a higher limit of their own, because other processes decide about them.
So does what is explained under "What is missed".

${budgetTable(budgets)}

${sections.map(sectionText).join("\n")}
${notes}`;
}

const began = performance.now();
const times = cpuTimes();
const commit = values.check ? "" : currentCommit();
const sections = await measure(values.check ? brief : full);
const budgets = sections.flatMap((section) => section.budgets);
console.log(budgetTable(budgets));
console.log(`\n${Math.round((performance.now() - began) / 1_000)} s`);
if (!values.check) {
  for (const { chart } of sections) {
    if (chart !== undefined) writeFileSync(new URL(`docs/images/${chart.file}`, root), chart.svg);
  }
  writeFileSync(new URL("docs/benchmarks.md", root), document(sections, budgets, commit, stolenSince(times)));
}
const missed = budgets.filter(isMissed);
for (const { name } of missed) console.error(`Missed: ${name}`);
process.exitCode = missed.length > 0 ? 1 : 0;
