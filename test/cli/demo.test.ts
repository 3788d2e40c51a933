import { expect, it } from "vitest";
import { scenes } from "../../src/cli/scenes.ts";
import { recordingNames } from "../../src/testing/recordings.ts";
import { expectations, expectedAt } from "../recordings/expected.ts";
import { layer } from "../recordings/play.ts";
import { runCli } from "./run-cli.ts";

// The fake Gateway answers from its history, so whoever hears more than chat events hears all.
const heard = layer === "live" ? "live" : "history";
const outcomes = scenes.flatMap(({ recording }) =>
  expectations.filter((expectation) => expectation.recording === recording).flatMap((it) => expectedAt(heard, it)),
);
const count = (status: string): number => outcomes.filter((outcome) => outcome.status === status).length;

it("plays every recorded scenario and counts the outcomes", async () => {
  const cli = runCli(["demo"]);
  expect(await cli.ended).toEqual({ code: 0, signal: null });

  const lines = cli.stdout.trimEnd().split("\n");
  const counters = Object.fromEntries((lines.at(-1) ?? "").split(" ").map((pair) => pair.split("=")));
  expect(lines.at(-1)).toMatch(
    /^delivered=\d+ discarded=\d+ errored=\d+ aborted=\d+ expired=\d+ duplicates=\d+ rejected=\d+$/,
  );
  expect(counters).toMatchObject({
    delivered: String(count("dispatched")),
    discarded: String(count("discarded")),
    errored: String(count("errored")),
    aborted: String(count("aborted")),
    rejected: "0",
  });
  expect(Number(counters["duplicates"])).toBeGreaterThan(0);
  for (const { title } of scenes) expect(lines).toContain(title);
  expect(cli.stdout).not.toContain("\u001b");
  // In a clone and beside a program, the command is not in the PATH.
  const next = cli.stderr.split("\n").filter((line) => line.includes("openclaw-inbox "));
  expect(next.map((line) => line.trim().split(" ").slice(0, 3).join(" "))).toEqual([
    "npx openclaw-inbox doctor",
    "npx openclaw-inbox listen",
  ]);
  // A message stands beneath the title of its own scene.
  const fromFailure = lines.slice(lines.indexOf("The model fails"));
  expect(fromFailure[1]).toContain("errored: ⚠️ stub/stub-1 request failed");
});

it("has a scene for each recorded scenario", () => {
  const scenario = (recording: string): string => recording.split(".")[0] as string;
  expect(scenes.map(({ recording }) => scenario(recording)).sort()).toEqual([
    ...new Set(recordingNames().map(scenario)),
  ]);
});
