// Plays scenarios against real Gateways and checks what the inbox handed over:
//
//   npm run test:live [-- --openclaw VERSIONS] [--only NAMES] [--smoke VERSIONS]   the newest release, unless told otherwise
//   npm run test:matrix [-- ...]   all releases of the matrix; puts each into docs/gateway-versions.md as soon as it is played
//
// VERSIONS is a list, separated by commas, of versions and of oldest, middle, newest and all. NAMES is a list, separated by
// semicolons, of parts of the names of scenarios. Of the releases after --smoke one scenario of each kind is played.
// Exit code 0: all passed, or what failed cannot work with that release, or no Gateway could be installed here. 1: anything else.
import { parseArgs } from "node:util";
import { type Installation, InstallError, installGateway } from "./install.ts";
import { playRelease, type Result, resultNames } from "./play.ts";
import { chosenReleases } from "./releases.ts";
import { merged, readMatrix, writeMatrix } from "./report.ts";
import { chosenScenarios, scenarios, smoke } from "./scenarios/index.ts";

/** Downloads at once. */
const MAX_INSTALLS = 2;

const { values } = parseArgs({
  options: {
    openclaw: { type: "string", default: "newest" },
    only: { type: "string" },
    smoke: { type: "string" },
    report: { type: "boolean", default: false },
  },
});

process.once("SIGINT", () => process.exit(130));

const plan = new Map([
  ...chosenReleases(values.openclaw).map((version) => [version, chosenScenarios(values.only)] as const),
  ...(values.smoke === undefined ? [] : chosenReleases(values.smoke).map((version) => [version, smoke] as const)),
]);
const installing = installAll([...plan.keys()]);
const all: Result[] = [];
for (const [version, chosen] of plan) {
  const installation = await installing.get(version);
  if (installation === undefined) continue;
  print(`\nopenclaw ${version}`);
  const results = await playRelease(installation, chosen, print);
  all.push(...results);
  if (values.report) {
    const isWhole = chosen.length === scenarios.length;
    writeMatrix(merged(readMatrix(), version, results, isWhole), resultNames(scenarios));
  }
}
const failed = all.filter(({ status }) => status === "failed" || status === "closed").length;
print(`${all.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Installs them in this order, a few at once, while the first are played already. Undefined for one that could not be. */
function installAll(list: readonly string[]): ReadonlyMap<string, Promise<Installation | undefined>> {
  const installs = new Map<string, Promise<Installation | undefined>>();
  for (const [index, version] of list.entries()) {
    const before = installs.get(list[index - MAX_INSTALLS] ?? "");
    installs.set(
      version,
      Promise.resolve(before).then(() => install(version)),
    );
  }
  return installs;
}

async function install(version: string): Promise<Installation | undefined> {
  try {
    return await installGateway(version, print);
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    print(`OPENCLAW ${version} COULD NOT BE INSTALLED: THE LIVE TESTS WERE NOT RUN WITH IT.\n${error.message}`);
    return undefined;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
