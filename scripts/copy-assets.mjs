// Copies what tsc leaves behind: files that the built code reads at run time, each to the same place beneath dist, or
// the folder that is named.
import { cpSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const [folder = "dist"] = process.argv.slice(2);
const assets = ["src/testing/recordings", "src/inspector/page"];

for (const asset of assets) {
  const from = fileURLToPath(new URL(asset, root));
  const to = fileURLToPath(new URL(`${folder}/${asset}`, root));
  if (!existsSync(from)) throw new Error(`copy-assets: ${asset} is missing`);
  rmSync(to, { recursive: true, force: true });
  // What checks the page is no part of it.
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith("tsconfig.json") });
}
