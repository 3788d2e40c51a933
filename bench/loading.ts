import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { spread } from "./spread.ts";

const programs = {
  nothing: "",
  peers: `await Promise.all(["ws", "rxjs", "xstate", "pino"].map((name) => import(name)))`,
  ours: `await import(${JSON.stringify(new URL("../src/index.js", import.meta.url).href)})`,
};

/** What the package costs those who install and import it. */
export interface Loading {
  /** From the start of a process that loads so much to its end, in ms. */
  readonly ms: Readonly<Record<keyof typeof programs, number>>;
  /** That come with it. */
  readonly packages: number;
  /** Of all their files and its own, which take a build; undefined where that was not wanted. */
  readonly megabytes: number | undefined;
}

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** A process of each kind in turn, `starts` times. */
export async function measureLoading({ starts, build }: { readonly starts: number; readonly build: boolean }) {
  const times: Record<keyof typeof programs, number[]> = { nothing: [], peers: [], ours: [] };
  for (let start = 0; start < starts; start++) {
    for (const [name, program] of Object.entries(programs)) {
      const begin = performance.now();
      await run(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
      times[name as keyof typeof programs].push(performance.now() - begin);
    }
  }
  const median = (name: keyof typeof programs) => spread(times[name]).median;
  const packages = installedPackages();
  const bytes = packages.reduce((sum, folder) => sum + bytesIn(join(root, folder)), 0);
  return {
    ms: { nothing: median("nothing"), peers: median("peers"), ours: median("ours") },
    packages: packages.length,
    megabytes: build ? (bytes + (await packedBytes())) / 1e6 : undefined,
  } satisfies Loading;
}

/** The folders of everything that is installed with the package and not for its development only. */
function installedPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<
      Record<string, { readonly dev?: true; readonly optional?: true; readonly peer?: true }>
    >;
  };
  return Object.entries(lock.packages)
    .filter(([folder, { dev, optional, peer }]) => folder !== "" && !dev && !optional && !peer)
    .map(([folder]) => folder);
}

/** Without the packages that lie in its own `node_modules`: they are listed themselves. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? sum : sum + bytesIn(path);
    return sum + statSync(path).size;
  }, 0);
}

async function packedBytes(): Promise<number> {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--silent", "--json"], { cwd: root, maxBuffer: 1e8 });
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf("["))) as { readonly unpackedSize: number }[];
  return packed?.unpackedSize ?? Number.NaN;
}
