// Plays every scenario against real Gateways and checks what the inbox handed over:
//
//   npm run test:live [-- --openclaw VERSIONS] [--only NAME]   the newest release, unless told otherwise
//   npm run test:matrix                                       all releases of the matrix, into docs/gateway-versions.md
//
// VERSIONS is a list, separated by commas, of versions and of oldest, middle, newest and all.
// Exit code 0: all passed, or what failed cannot work with that release, or no Gateway could be installed here. 1: anything else.
import { parseArgs } from "node:util";
import { type Installation, InstallError, installGateway } from "./install.ts";
import { playRelease, type Result } from "./play.ts";
import { chosenReleases } from "./releases.ts";
import { writeReport } from "./report.ts";
import { scenarios } from "./scenarios/index.ts";

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

const results = new Map<string, readonly Result[]>();
const chosen = scenarios.filter(({ name }) => values.only === undefined || name.includes(values.only));
if (chosen.length === 0)
  throw new Error(
    `there is no scenario called ${values.only}; there are:\n  ${scenarios.map(({ name }) => name).join("\n  ")}`,
  );
for (const installation of await installAll(chosenReleases(values.openclaw))) {
  print(`\nopenclaw ${installation.version}`);
  results.set(installation.version, await playRelease(installation, chosen, print));
}
if (values.report) await writeReport(results);
const all = [...results.values()].flat();
const failed = all.filter(({ status }) => status === "failed" || status === "closed").length;
print(`${all.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function installAll(versions: readonly string[]): Promise<readonly Installation[]> {
  const waiting = [...versions];
  const installations: Installation[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        installations.push(await installGateway(next, print));
      } catch (error) {
        if (!(error instanceof InstallError)) throw error;
        print(`OPENCLAW ${next} COULD NOT BE INSTALLED: THE LIVE TESTS WERE NOT RUN WITH IT.\n${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_INSTALLS }, worker));
  return installations.sort((a, b) => versions.indexOf(a.version) - versions.indexOf(b.version));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
