// Runs every check of the project in turn, all of them whatever fails, and prints how long each took.
// --skip NAME leaves one out (CI has run the tests by then).
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const steps = {
  check: ["npm", "run", "--silent", "check"],
  types: ["npm", "run", "--silent", "types"],
  build: ["npm", "run", "--silent", "build"],
  "docs:machines": ["npm", "run", "--silent", "docs:machines", "--", "--check"],
  "pack:check": ["npm", "run", "--silent", "pack:check"],
  test: ["npm", "run", "--silent", "test"],
  fuzz: ["npx", "vitest", "run", "test/inspector/fuzz.test.ts"],
  disk: ["npx", "vitest", "run", "test/reliability/damage.test.ts", "test/reliability/faults.test.ts"],
  chaos: ["npm", "run", "--silent", "chaos", "--", "--short"],
  bench: ["npm", "run", "--silent", "bench", "--", "--check"],
};

/** What `npm test` does a part of. */
const more = { fuzz: { FUZZ_REQUESTS: "100000" }, disk: { FLIPS: "1000", EACH_WRITE: "1" } };

const { values } = parseArgs({ options: { skip: { type: "string", multiple: true, default: [] } } });
const results = [];
for (const [name, [command, ...args]] of Object.entries(steps)) {
  if (values.skip.includes(name)) continue;
  console.log(`\n== ${name}`);
  const startedAt = Date.now();
  const { status } = spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...more[name] } });
  results.push({ name, ok: status === 0, seconds: ((Date.now() - startedAt) / 1000).toFixed(1) });
}

console.log("");
for (const { name, ok, seconds } of results)
  console.log(`${ok ? "ok    " : "FAILED"} ${seconds.padStart(6)} s  ${name}`);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
