// Checks the package as strangers get it: packs it, looks into the tarball, and installs it into an empty project.
// Needs the registry, for that project's dependencies. Run by `npm run pack:check`; --keep leaves the project there.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkContents, type Packed } from "./pack-contents.ts";
import { checkUse, NotChecked, type Ran } from "./pack-use.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "openclaw-inbox-pack-"));
const failures: string[] = [];

function run(command: string, args: readonly string[], cwd = root): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 1e8 });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Runs one check. What it throws is printed and fails the whole; what it returns is why it could not be made. */
function check(name: string, body: () => unknown): void {
  const startedAt = Date.now();
  let verdict = "ok";
  let reason = "";
  try {
    const skipped = body();
    if (skipped instanceof NotChecked) [verdict, reason] = ["NOT CHECKED", `: ${skipped.message}`];
  } catch (error) {
    failures.push(name);
    verdict = "FAILED";
    reason = `\n${error instanceof Error ? error.message : String(error)}\n`;
  }
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6);
  console.log(`${verdict.padEnd(6)} ${seconds} s  ${name}${reason}`);
}

function must({ status, stdout, stderr }: Ran): string {
  if (status !== 0) throw new Error(`${stdout}${stderr}`.trim());
  return stdout;
}

const bin = (name: string) => join(root, "node_modules", ".bin", name);

check("no file, export or dependency that nobody uses (knip)", () => must(run(bin("knip"), [])));
let packed: Packed | undefined;
check("packs", () => {
  const printed = must(run("npm", ["pack", "--silent", "--json", "--pack-destination", folder]));
  [packed] = JSON.parse(printed.slice(printed.indexOf("["))) as Packed[];
});
if (packed !== undefined) {
  const { filename } = packed;
  const tarball = join(folder, filename);
  const contents = packed;
  check("what is in the tarball, and its size", () => checkContents(contents, root));
  check("publint", () => must(run(bin("publint"), ["run", tarball, "--strict"])));
  check("are the types wrong (attw)", () => must(run(bin("attw"), [tarball, "--profile", "esm-only"])));
  checkUse({ root, folder: join(folder, "app"), tarball, run, must, check });
}
if (process.argv.includes("--keep")) console.log(`Kept: ${folder}`);
else rmSync(folder, { recursive: true });
process.exitCode = failures.length === 0 ? 0 : 1;
