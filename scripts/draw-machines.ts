// Lays the machines out for the inspector's page, from the machines themselves: `npm run docs:drawings`.
// Run it after every change of a machine; a test fails while the drawings are stale.
import { writeFileSync } from "node:fs";
import { drawMachines } from "./machine-drawing.ts";

const file = new URL("../src/inspector/page/drawings.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(await drawMachines(), undefined, 2)}\n`);
