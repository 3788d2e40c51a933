import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(join(root, "docs/architecture.md"), "utf8");

interface Row {
  readonly who: readonly string[];
  readonly mayImport: ReadonlySet<string>;
  readonly packages: readonly string[];
}

const codes = (cell: string) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code = ""]) => code);

/** The table of the page: who may import whom, and which packages. */
function readTable(): readonly Row[] {
  const [, table = ""] = /\| who +\|.*\n\|[-| ]+\n((?:\|.*\n)+)/.exec(text) ?? [];
  const cells = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const everybody = cells.flatMap(([, who = ""]) => codes(who));
  return cells.map(([, who = "", of = "", packages = ""]) => ({
    who: codes(who),
    mayImport: new Set(
      of.startsWith("everything but") ? everybody.filter((name) => !codes(of).includes(name)) : codes(of),
    ),
    packages: codes(packages)
      .filter((name) => !everybody.includes(name))
      .sort(),
  }));
}

interface Import {
  /** The file, from the root. */
  readonly file: string;
  /** The file that it imports, from the root; undefined for a package. */
  readonly from: string | undefined;
  /** A room of the house, or a package. */
  readonly of: string;
}

/** The room that a file belongs to: its folder under `src/`, its name at the top of `src/`, or `machines`. */
function roomOf(file: string): string {
  const [top = "", name = ""] = relative(root, file).split("/");
  return top === "src" ? name.replace(/\.ts$/, "") : top;
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return path.endsWith(".ts") ? [path] : [];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

const files = [join(root, "machines"), join(root, "src")].flatMap(filesIn);
const imports: readonly Import[] = files.flatMap((file) => {
  const specifiers = readFileSync(file, "utf8").matchAll(
    /^(?:import|export)\s[^;]*?from "([^"]+)";|(?:import|\))\("([^"]+)"\)/gm,
  );
  return Array.from(specifiers, ([, one, other = ""]) => {
    const name = one ?? other;
    const from = name.startsWith(".") ? resolve(dirname(file), name) : undefined;
    return {
      file: relative(root, file),
      from: from && relative(root, from),
      of: from === undefined ? name : roomOf(from),
    };
  });
});
const rows = readTable();

describe("the import table", () => {
  it("names every room once", () => {
    const there = readdirSync(join(root, "src")).map((name) => name.replace(/\.ts$/, ""));
    expect(rows.flatMap(({ who }) => who).sort()).toEqual([...there, "machines"].sort());
  });

  it.each(rows.map((row) => [row.who.join(", "), row] as const))("holds for %s", (_, { who, mayImport }) => {
    const ours = new Set(rows.flatMap((row) => row.who));
    const refused = imports
      .filter(({ file, of }) => {
        const from = roomOf(join(root, file));
        return who.includes(from) && of !== from && ours.has(of) && !mayImport.has(of);
      })
      .map(({ file, of }) => `${file} imports ${of}`);
    expect(refused).toEqual([]);
  });

  it("names every package that a row imports", () => {
    for (const { who, packages } of rows) {
      const foreign = imports.filter(({ file, of }) => who.includes(roomOf(join(root, file))) && isPackage(of));
      expect([...new Set(foreign.map(({ of }) => packageOf(of)))].sort(), who.join(", ")).toEqual(packages);
    }
  });
});

describe("the files", () => {
  it("import each other in no circle, by types neither", () => {
    const imported = Map.groupBy(imports, ({ file }) => file);
    const done = new Set<string>();
    function circleFrom(file: string, path: readonly string[]): readonly string[] | undefined {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
      if (done.has(file)) return undefined;
      for (const { from } of imported.get(file) ?? []) {
        const circle = from === undefined ? undefined : circleFrom(from, [...path, file]);
        if (circle !== undefined) return circle;
      }
      done.add(file);
      return undefined;
    }
    expect([...imported.keys()].flatMap((file) => circleFrom(file, []) ?? [])).toEqual([]);
  });
});

/** The package of a specifier that may name a file in it. */
function packageOf(name: string): string {
  return name.split("/", name.startsWith("@") ? 2 : 1).join("/");
}

function isPackage(name: string): boolean {
  return !name.startsWith("node:") && !rows.some(({ who }) => who.includes(name));
}

describe("the page", () => {
  it("has a line for every file and folder at the top of the house", () => {
    const tree = /## The house\n\n```\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
    const listed = Array.from(tree.matchAll(/^ {2}([\w.-]+)\/? +\S/gm), ([, name]) => name);
    const there = [...readdirSync(join(root, "machines")), ...readdirSync(join(root, "src"))];
    expect([...listed].sort()).toEqual(there.sort());
  });

  it("names only existing files", () => {
    const named = Array.from(text.matchAll(/`((?:src|machines|test)\/[\w./-]+\.ts)`/g), ([, path = ""]) => path);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
