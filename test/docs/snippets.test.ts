import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { root } from "./declarations.ts";
import { readPage } from "./page.ts";

/** A piece of TypeScript that a page shows whole: one that imports what it uses. */
interface Snippet {
  /** The page, and the line that it begins on. */
  readonly name: string;
  readonly code: string;
}

const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".md"),
);
const snippets = pages.flatMap(snippetsOf).filter(({ code }) => code.startsWith("import "));

function snippetsOf(page: string): readonly Snippet[] {
  const text = readPage(`docs/${page}`);
  return Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ({ 1: code = "", index }) => {
    return {
      name: `${page.replace(".md", "").replaceAll("/", "-")}-${text.slice(0, index).split("\n").length + 1}`,
      code,
    };
  });
}

const folder = mkdtempSync(join(tmpdir(), "snippets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A project in which this package is found by its name. */
function writeProject(files: readonly Snippet[]): void {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  const paths = Object.fromEntries(
    Object.entries(exports).flatMap(([subpath, target]) => {
      if (typeof target === "string") return [];
      const file = target.default.replace("./dist/", "").replace(/\.js$/, ".ts");
      return [[subpath.replace(/^\./, "openclaw-inbox"), [join(root, file)]]];
    }),
  );
  const compilerOptions = { paths, typeRoots: [join(root, "node_modules/@types")] };
  const tsconfig = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts"] };
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  for (const { name, code } of files) writeFileSync(join(folder, `${name}.ts`), runnable(code));
}

/** Each `expression; //=> value` as an assertion. */
function runnable(code: string): string {
  const checked = code.replace(/^(.*); \/\/=> (.*)$/gm, (_, expression, value) => {
    return `saysAssert.deepEqual(${expression}, ${value});`;
  });
  return `import saysAssert from "node:assert/strict";\n${checked}\nvoid saysAssert;\n`;
}

describe("the snippets of the pages", () => {
  it("compile", () => {
    expect(snippets.length).toBeGreaterThan(5);
    writeProject(snippets);
    const tsc = join(root, "node_modules/.bin/tsc");
    const { stdout } = spawnSync(tsc, ["-p", folder, "--pretty", "false"], { encoding: "utf8" });
    expect(stdout).toBe("");
  });

  it.each(snippets.filter(({ code }) => /; \/\/=> |assert\./.test(code)).map(({ name }) => name))(
    "%s does as it says",
    (name) => {
      const tsx = join(root, "node_modules/.bin/tsx");
      const file = join(folder, `${name}.ts`);
      const { status, stderr } = spawnSync(tsx, ["--tsconfig", join(folder, "tsconfig.json"), file], {
        encoding: "utf8",
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
    },
  );
});
