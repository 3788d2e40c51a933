import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "architecture-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  readonly who: readonly string[];
  readonly mayImport: ReadonlySet<string>;
  readonly packages: readonly string[];
}

const codes = (cell: string) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code = ""]) => code);

/** The table of the page, as sets of names. The types of ports are an exception file by file, tried below. */
function readTable(): readonly Row[] {
  const [, table = ""] = /\| who +\|.*\n\|[-| ]+\n((?:\|.*\n)+)/.exec(text) ?? [];
  const cells = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const firstRow = codes(cells[0]?.[1] ?? "");
  const everybody = cells.flatMap(([, who = ""]) => codes(who));
  return cells.map(([, who = "", of = "", packages = ""]) => {
    const [named = ""] = of.split(", and of");
    const mayImport = of.startsWith("everything but")
      ? everybody.filter((name) => !codes(of).includes(name))
      : [...(of.startsWith("the first row") ? firstRow : []), ...codes(named)];
    const foreign = codes(packages).filter((name) => !everybody.includes(name));
    return { who: codes(who), mayImport: new Set(mayImport), packages: foreign.sort() };
  });
}

const rows = readTable();
const names = rows.flatMap(({ who }) => who);
const isFolder = (name: string) => !existsSync(join(root, `src/${name}.ts`));
/** How a file of `from` names one of `to`. */
function specifier(from: string, to: string): string {
  const file = isFolder(to) ? (to === "machines" ? "machines/run.ts" : `${to}/x.ts`) : `${to}.ts`;
  if (from === "machines") return to === "machines" ? "./run.ts" : `../src/${file}`;
  if (to === "machines") return `${isFolder(from) ? "../../" : "../"}${file}`;
  return isFolder(from) ? `../${file}` : `./${file}`;
}

/** A file of `from` that imports one of every other, a line each. */
function importsOf(from: string): readonly string[] {
  return names.filter((to) => to !== from);
}

function pathOf(from: string): string {
  if (from === "machines") return "machines/x.ts";
  return isFolder(from) ? `src/${from}/x.ts` : `src/${from}.ts`;
}

/** What the linter objects to in a copy of the house where everybody imports everybody, as `who → whom`. */
function refused(): readonly string[] {
  copyFileSync(join(root, "biome.json"), join(folder, "biome.json"));
  for (const from of names) {
    const file = join(folder, pathOf(from));
    mkdirSync(dirname(file), { recursive: true });
    const lines = importsOf(from).map((to, index) => `export * as it${index} from "${specifier(from, to)}";`);
    writeFileSync(file, lines.join("\n"));
  }
  // The linter asks for a repository, to know what is ignored.
  execFileSync("git", ["init", "--quiet"], { cwd: folder });
  const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
  const flags = ["--only=style/noRestrictedImports", "--reporter=github", "--max-diagnostics=none"];
  const { stdout } = spawnSync(process.execPath, [biome, "lint", ...flags, "."], { cwd: folder, encoding: "utf8" });
  const found = Array.from(stdout.matchAll(/file=([^,]+),line=(\d+)/g), ([, file = "", line = ""]) => {
    const from = names.find((name) => file.endsWith(`/${pathOf(name)}`)) ?? file;
    return `${from} → ${importsOf(from)[Number(line) - 1]}`;
  });
  return found.sort();
}

describe("the import table", () => {
  it("names every folder and file of the house once", () => {
    const there = readdirSync(join(root, "src")).map((name) => name.replace(/\.ts$/, ""));
    expect([...names].sort()).toEqual([...there, "machines"].sort());
  });

  it("is what the linter enforces, for every pair", () => {
    const forbidden = rows.flatMap(({ who, mayImport }) =>
      who.flatMap((from) =>
        importsOf(from)
          .filter((to) => !mayImport.has(to))
          .map((to) => `${from} → ${to}`),
      ),
    );
    expect(refused()).toEqual(forbidden.sort());
  });

  it("names every package that each row imports, and no other", () => {
    for (const { who, packages } of rows) {
      const imported = who.flatMap(filesOf).flatMap((file) => {
        const code = readFileSync(file, "utf8");
        const specifiers = code.matchAll(/^(?:import|export)\s[^;]*?from "([^"]+)";|(?:import|\))\("([^"]+)"\)/gm);
        return Array.from(specifiers, ([, one, other = ""]) => one ?? other);
      });
      const foreign = imported.filter((name) => !/^(node:|\.)/.test(name));
      expect([...new Set(foreign)].sort(), who.join(", ")).toEqual(packages);
    }
  });
});

function filesOf(name: string): readonly string[] {
  if (!isFolder(name)) return [join(root, `src/${name}.ts`)];
  const home = join(root, name === "machines" ? name : `src/${name}`);
  return readdirSync(home)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(home, file));
}

describe("the page", () => {
  it("has a line for every file and folder at the top of the house", () => {
    const tree = /## The house\n\n```\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
    const listed = Array.from(tree.matchAll(/^ {2}([\w.-]+)\/? +\S/gm), ([, name]) => name);
    const there = [...readdirSync(join(root, "machines")), ...readdirSync(join(root, "src"))];
    expect([...listed].sort()).toEqual(there.sort());
  });
});
