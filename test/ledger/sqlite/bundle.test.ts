import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, describe, expect, it, vi } from "vitest";
import { usePostgres } from "../../helpers/postgres.ts";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";

vi.setConfig({ testTimeout: 120_000 });

const inFolder = useTemporaryFolder();
const program = fileURLToPath(new URL("./bundle-program.ts", import.meta.url));
const postgres = await usePostgres("THE LEDGER IN POSTGRES IN A BUNDLE");
afterAll(() => postgres?.stop());

/** Runs the bundle, where no package can be found beside it. */
function expectRuns(bundle: string): void {
  const shared = postgres === undefined ? [] : [postgres.url, postgres.schema()];
  const expected = postgres === undefined ? "taken known\n" : "taken known taken known\n";
  const args = [bundle, inFolder("inbox.db"), ...shared];
  expect(execFileSync(process.execPath, args, { encoding: "utf8", cwd: dirname(bundle) })).toBe(expected);
}

/** A script that bundles the program by webpack; each module's types are taken off by esbuild. */
function webpackScript(mode: string): string {
  const modulePath = (name: string) => JSON.stringify(fileURLToPath(import.meta.resolve(name)));
  writeFileSync(
    inFolder("loader.cjs"),
    `module.exports = (text) => require(${modulePath("esbuild")}).transformSync(text, { loader: "ts", format: "esm" }).code;`,
  );
  const options = {
    mode,
    target: "node22.19",
    entry: program,
    module: { rules: [{ test: /\.ts$/.source, loader: inFolder("loader.cjs") }] },
    externals: { "pg-native": "commonjs pg-native" },
    output: { path: inFolder("."), filename: "bundle.cjs" },
    // The chunks that are loaded later, too.
    optimization: { splitChunks: false },
  };
  return `const options = ${JSON.stringify(options)};
    options.module.rules[0].test = new RegExp(options.module.rules[0].test);
    require(${modulePath("webpack")})(options, (error, stats) => {
      const problem = error ?? (stats.hasErrors() ? stats.toString({ all: false, errors: true }) : undefined);
      if (problem !== undefined) console.error(problem);
      process.exitCode = problem === undefined ? 0 : 1;
    });`;
}

describe("the ledgers in a bundle", () => {
  it.each([
    ["with names kept", { keepNames: true }],
    ["minified", { minify: true }],
    ["minified with names kept", { minify: true, keepNames: true }],
    ["for the oldest Node", { minify: true, keepNames: true, target: "node22.19" }],
  ])("run by esbuild %s", async (_, options) => {
    const outfile = inFolder("bundle.mjs");
    await build({
      entryPoints: [program],
      bundle: true,
      platform: "node",
      format: "esm",
      // `pg` is CommonJS, and asks for Node's modules by `require`.
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      external: ["pg-native"],
      outfile,
      ...options,
    });
    expectRuns(outfile);
  });

  it.each(["production", "development"])("run by webpack in %s mode", (mode) => {
    writeFileSync(inFolder("webpack.cjs"), webpackScript(mode));
    execFileSync(process.execPath, [inFolder("webpack.cjs")], { stdio: "inherit" });
    expectRuns(inFolder("bundle.cjs"));
  });
});
