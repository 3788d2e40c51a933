import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { useTemporaryFolder } from "../../helpers/temporary-folder.ts";

const inFolder = useTemporaryFolder();

describe("the ledger's thread", () => {
  it.each([
    ["with names kept", { keepNames: true }],
    ["minified", { minify: true }],
    ["minified with names kept", { minify: true, keepNames: true }],
    ["for the oldest Node", { minify: true, keepNames: true, target: "node22.19" }],
  ])("is found in a bundle %s", async (_, options) => {
    const outfile = inFolder("bundle.mjs");
    await build({
      entryPoints: [fileURLToPath(new URL("./bundle-program.ts", import.meta.url))],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
      ...options,
    });
    expect(execFileSync(process.execPath, [outfile, inFolder("inbox.db")], { encoding: "utf8" })).toBe("taken known\n");
  });
});
