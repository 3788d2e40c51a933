// Records what the wire of a release looks like, for the tests that need no Gateway:
//
//   npm run record -- --openclaw 2026.7.1 [--only "NAME;NAME"]
//
// Writes <version>-<scenario>.subscribed.ndjson (a connection that subscribes as an inbox does) and
// <version>-<scenario>.driver.json (what was asked for) to test/recordings/generations/. The expectations are written by hand.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installGateway } from "../install.ts";
import { chosenReleases } from "../releases.ts";
import { openStage } from "../stage.ts";
import { createDirector, type DriverStep, scripts } from "./script.ts";
import { createScrubber } from "./scrub.ts";
import { openWire } from "./wire.ts";

const FOLDER = fileURLToPath(new URL("../../recordings/generations/", import.meta.url));
/** Of the connection, not of the scenario. */
const LEFT_OUT: ReadonlySet<unknown> = new Set([
  "health",
  "tick",
  "presence",
  "task",
  "skills.changed",
  "update.available",
]);
/** What comes after the end of a scenario still belongs to it. */
const TAIL_MS = 2_000;

const { values } = parseArgs({
  options: { openclaw: { type: "string", default: "newest" }, only: { type: "string" } },
});

for (const version of chosenReleases(values.openclaw)) {
  const stage = await openStage(await installGateway(version, print));
  try {
    for (const [name, play] of scripts) {
      if (values.only !== undefined && !values.only.split(";").some((part) => name.includes(part))) continue;
      const { port, token, folder } = stage.gateway;
      const beganAtMs = Date.now();
      const steps: DriverStep[] = [];
      const wire = await openWire(`ws://127.0.0.1:${port}`, token, { subscribes: true });
      await play(createDirector(stage, steps, name));
      await delay(TAIL_MS);
      wire.close();
      const scrub = createScrubber(`${version}-${name}`, { token, folder, port }, beganAtMs);
      const lines = wire.frames
        .filter(({ frame }) => !LEFT_OUT.has(frame.event))
        .map(({ t, frame }) => scrub(JSON.stringify({ t, conn: "subscribed", frame })));
      await writeFile(path.join(FOLDER, `${version}-${name}.subscribed.ndjson`), `${lines.join("\n")}\n`);
      await writeFile(
        path.join(FOLDER, `${version}-${name}.driver.json`),
        `${scrub(JSON.stringify(steps, null, 1))}\n`,
      );
      print(`${version}-${name}: ${lines.length} frames`);
    }
  } finally {
    await stage.close(false);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
