import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readRecording, recordingNames, recordingPath } from "../../src/testing/index.ts";

it("names every recording and its file", () => {
  const names = recordingNames();
  expect(names).toContain("c3-agent-rpc");
  expect(names).toContain("a-cron-main.roster");
  expect(names).toEqual([...names].sort());
  for (const name of names) expect(existsSync(recordingPath(name))).toBe(true);
});

it.each(recordingNames())("reads %s, which begins with a challenge", (name) => {
  const frames = readRecording(name);
  expect(frames[0]?.frame).toMatchObject({ type: "event", event: "connect.challenge" });
  expect(frames.map(({ t }) => t)).toEqual(frames.map(({ t }) => t).sort((a, b) => a - b));
});

it("lists the names when one is wrong", () => {
  expect(() => recordingPath("../secret")).toThrow(
    expect.objectContaining({ code: "ERR_INBOX_OPTION", details: { option: "name" } }) as Error,
  );
});

it("names an unreadable file and a line that is no frame", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recordings-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "cut.ndjson");
  expect(() => readRecording(file)).toThrow(
    expect.objectContaining({ code: "ERR_INBOX_RECORDING", details: { file } }) as Error,
  );
  await writeFile(file, '{"t":1,"conn":"a","frame":{"type":"event"}}\n\n{"t":2,"conn"');
  expect(() => readRecording(file)).toThrow(
    expect.objectContaining({ code: "ERR_INBOX_RECORDING", details: { file, line: 3 } }) as Error,
  );
});
