import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a command wrote, without npm's remarks about whoever runs this. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the checks of {@link checkUse} work with. */
export interface Use {
  readonly root: string;
  /** Where to put the project; made by this. */
  readonly folder: string;
  readonly tarball: string;
  readonly run: (command: string, args: readonly string[], cwd?: string) => Ran;
  /** What it wrote to stdout; throws when it failed. */
  readonly must: (ran: Ran) => string;
  readonly check: (name: string, body: () => unknown) => void;
}

/** The oldest compiler that must do, and the one that this package is built with. */
const COMPILERS = { "5.9": "typescript@~5.9.3", "7": "typescript@~7.0.2" };
const INSTALL = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel", "error"];

/** Installs the tarball into an empty project, and uses it there in every way that it promises to be used. */
export function checkUse(use: Use): void {
  const { root, folder, tarball, run, must, check } = use;
  const { version, exports, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
    readonly exports: Readonly<Record<string, unknown>>;
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
  const names = subpaths.map((subpath) => subpath.replace(".", "openclaw-inbox"));
  // The one whose very purpose is a peer.
  const withoutPeers = names.filter((name) => name !== "openclaw-inbox/metrics");
  const inProject = (command: string, args: readonly string[]) => must(run(command, args, folder));
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));

  check("installs into an empty project", () => inProject("npm", [...INSTALL, tarball]));
  check("its command says its version", () => {
    const printed = inProject(join(folder, "node_modules", ".bin", "openclaw-inbox"), ["--version"]).trim();
    if (printed !== version) throw new Error(`It printed ${printed}`);
  });
  check("its demo plays what came with it", () => {
    const printed = inProject(join(folder, "node_modules", ".bin", "openclaw-inbox"), ["demo"]);
    if (!/delivered=[1-9]\d* .*rejected=\d+\n$/.test(printed)) throw new Error(printed);
  });
  check("is imported and required without its peers", () => loadAll(use, withoutPeers));
  check("installs beside its peers", () => {
    const peers = Object.entries(peerDependencies).map(([name, range]) => `${name}@${range}`);
    const compilers = Object.entries(COMPILERS).map(([name, spec]) => `typescript-${name}@npm:${spec}`);
    inProject("npm", [...INSTALL, ...peers, ...compilers, "@types/node@20"]);
  });
  check("is imported and required with them", () => loadAll(use, names));
  cpSync(join(root, "test", "package", "consumer"), folder, { recursive: true });
  cpSync(join(root, "examples", "01-print.ts"), join(folder, "print.ts"));
  for (const name of Object.keys(COMPILERS)) {
    // Without skipLibCheck, so that our types are checked, and all that they bring along. XState's own do not hold
    // with exactOptionalPropertyTypes, so whoever sets that needs skipLibCheck, as this package does itself.
    check(`compiles with TypeScript ${name}`, () =>
      inProject(process.execPath, [`node_modules/typescript-${name}/bin/tsc`, "-p", ".", "--outDir", `built-${name}`]),
    );
    check(`what TypeScript ${name} compiled runs`, () => {
      for (const file of ["module.js", "common.cjs", "print.js"])
        inProject(process.execPath, [`built-${name}/${file}`]);
    });
  }
  check("no dependency with a known vulnerability (npm audit)", () =>
    audit(run("npm", ["audit", "--omit=dev", "--json"], folder)),
  );
}

/** Loads each module both ways, and finds the same names in it. */
function loadAll({ run, must, folder }: Use, names: readonly string[]): void {
  for (const name of names) {
    const load = (type: string, expression: string) => {
      const program = `console.log(Object.keys(${expression}).filter((name) => name !== "__esModule").sort().join())`;
      const ran = run(process.execPath, [`--input-type=${type}`, "--eval", program], folder);
      if (ran.stderr !== "") throw new Error(`${name}, as ${type}: ${ran.stderr}`);
      return must(ran).trim();
    };
    const imported = load("module", `await import("${name}")`);
    const required = load("commonjs", `require("${name}")`);
    if (imported === "" || imported !== required) throw new Error(`${name}: [${imported}] and [${required}]`);
  }
}

/** Why a check could not be made here. */
export class NotChecked extends Error {}

/** Not every registry answers `npm audit`: what cannot be asked is no failure, but must not look like an answer. */
function audit({ status, stdout, stderr }: Ran): NotChecked | undefined {
  const { metadata, message } = JSON.parse(stdout) as {
    readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
    readonly message?: string;
  };
  if (metadata === undefined)
    return new NotChecked(`THE REGISTRY DOES NOT ANSWER npm audit (${message ?? stderr.trim()})`);
  if (status !== 0) throw new Error(JSON.stringify(metadata.vulnerabilities));
  return undefined;
}
