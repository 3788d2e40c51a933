import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { createFakeGateway } from "../../src/testing/fake-gateway.ts";
import { useTemporaryFolder } from "../helpers/temporary-folder.ts";

const inFolder = useTemporaryFolder();
const entry = fileURLToPath(new URL("./bundle-program.ts", import.meta.url));
const require = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

// The client is loaded when a connection is opened: a bundle must bring it along.
describe("a Gateway source in a bundle", () => {
  it.each([
    ["one ES module", "bundle.mjs", { format: "esm", banner: { js: require } }],
    ["one CommonJS file", "bundle.cjs", { format: "cjs" }],
    ["minified ES module", "minified.mjs", { format: "esm", banner: { js: require }, minify: true }],
  ] as const)("connects from %s", async (_, name, options) => {
    const outfile = inFolder(name);
    await build({ entryPoints: [entry], bundle: true, platform: "node", outfile, ...options });
    await using gateway = await createFakeGateway();
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [outfile, gateway.url, gateway.token], { cwd: dirname(outfile) });
    expect(stdout).toBe("live\n");
  });
});
