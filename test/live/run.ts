// Plays scenarios against real Gateways and checks what the inbox handed over:
//
//   npm run test:live [-- --openclaw VERSIONS] [--only NAMES]   the newest release and all scenarios, unless told otherwise
//   npm run test:matrix [-- --openclaw VERSIONS] [--only NAMES] all releases of the matrix; puts each into docs/gateway-versions.md
//
// VERSIONS is a list, separated by commas, of versions and of oldest, middle, newest and all. NAMES is a list, separated by
// semicolons, of parts of names, and of smoke: those that CI plays with the oldest and the middle release.
// Exit code 0: all passed, or what failed cannot work with that release, or no Gateway could be installed here. 1: anything else.
import { parseArgs } from "node:util";
import { type Installation, InstallError, installGateway } from "./install.ts";
import { playRelease, type Result, resultNames } from "./play.ts";
import { chosenReleases } from "./releases.ts";
import { merged, readMatrix, writeMatrix } from "./report.ts";
import { chosenScenarios, scenarios } from "./scenarios/index.ts";

/** Downloads at once. */
const MAX_INSTALLS = 2;

const { values } = parseArgs({
  options: {
    openclaw: { type: "string", default: "newest" },
    only: { type: "string" },
    report: { type: "boolean", default: false },
  },
});

process.once("SIGINT", () => process.exit(130));

const chosen = chosenScenarios(values.only);
const versions = chosenReleases(values.openclaw);
const installing = installAll(versions);
const all: Result[] = [];
for (const version of versions) {
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
