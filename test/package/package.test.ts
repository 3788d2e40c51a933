import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
};
const { compilerOptions } = JSON.parse(read("tsconfig.json")) as {
  readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly string[]>> };
};

/** The source of a built file. */
const sourceOf = (built: string) => built.replace(/^(\.\/)?dist\//, "").replace(/(\.d\.ts|\.js)$/, ".ts");

describe("the package", () => {
  it("has a reason for each runtime dependency in docs/decisions.md", () => {
    const [, section = ""] = /## Runtime dependencies\n([\s\S]*?)\n## /.exec(read("docs/decisions.md")) ?? [];
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    const listed = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    expect(listed.sort()).toEqual(Object.keys(manifest.dependencies).sort());
    const optional = Object.entries(manifest.peerDependenciesMeta).filter(([, { optional }]) => optional);
    expect(optional.map(([name]) => name).sort()).toEqual(Object.keys(manifest.peerDependencies).sort());
    for (const name of Object.keys(manifest.peerDependencies)) expect(section).toContain(`\`${name}\``);
  });

  it("exports its own source, types first", () => {
    for (const [subpath, target] of Object.entries(manifest.exports)) {
      if (subpath === "./package.json") continue;
      expect(Object.keys(target), subpath).toEqual(["types", "default"]);
      const [types, code] = Object.values(target).map(sourceOf);
      expect(types).toBe(code);
      expect(existsSync(new URL(code ?? "", root)), code).toBe(true);
    }
    for (const built of Object.values(manifest.bin)) expect(existsSync(new URL(sourceOf(built), root))).toBe(true);
  });

  it("is what examples and type tests import by its name", () => {
    const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== "./package.json");
    for (const subpath of subpaths) {
      const name = subpath.replace(".", "openclaw-inbox");
      const { default: built = "" } = manifest.exports[subpath] as Record<string, string>;
      expect(mapped(name), name).toBe(`./${sourceOf(built)}`);
    }
  });
});

/** Where tsconfig.json leads an import. */
function mapped(name: string): string | undefined {
  const { paths } = compilerOptions;
  const wild = paths["openclaw-inbox/*"]?.map((path) => path.replace("*", name.replace("openclaw-inbox/", ""))) ?? [];
  return (paths[name] ?? wild).find((path) => existsSync(new URL(path, root)));
}
