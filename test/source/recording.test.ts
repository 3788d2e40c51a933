import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RecordingOptions, recordingSource } from "../../src/source/recording/recording.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { readRecording, recordingPath } from "../../src/testing/recordings.ts";
import { turn } from "../helpers/turns.ts";
import { createHeard } from "./heard.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recording-"));
});
afterAll(() => rm(folder, { recursive: true }));

const challenge = { type: "event", event: "connect.challenge", payload: { nonce: "<redacted>" } };
const hello = { type: "res", id: "1", ok: true, payload: { type: "hello-ok", protocol: 4 } };
const chat = (seq: number) => ({ type: "event", event: "chat", payload: { runId: "r", seq }, seq });
const line = (t: number, frame: unknown) => JSON.stringify({ t, conn: "listener", frame });

async function write(...lines: string[]): Promise<string> {
  const file = join(folder, `${Math.random()}.ndjson`);
  await writeFile(file, lines.join("\n"));
  return file;
}

function play(file: string | URL, options?: RecordingOptions) {
  const source = recordingSource(file, options);
  const heard = createHeard();
  source.open(heard);
  return { source, heard };
}

describe("a recording source", () => {
  it("plays every frame of a recording in order and ends", async () => {
    const { source, heard } = play(recordingPath("k2-ten-at-once"));
    await source.finished;
    expect(heard.frames).toEqual(readRecording("k2-ten-at-once").map(({ frame }) => frame));
    expect(heard.links.map(({ type }) => type)).toEqual(["connect", "hello", "ended"]);
    expect(heard.links[1]).toMatchObject({ hello: { type: "hello-ok", policy: { tickIntervalMs: 30_000 } } });
    expect(heard.reasons).toEqual(["The recording is over."]);
  });

  it("loses the connection where the recorded one was lost", async () => {
    const { source, heard } = play(recordingPath("m1-reconnect-while-running"));
    await source.finished;
    expect(heard.links.map(({ type }) => type)).toEqual(["connect", "hello", "lost", "connect", "hello", "ended"]);
    const second = heard.order.indexOf("lost");
    expect(heard.order.slice(second, second + 5)).toEqual(["lost", "connect", "frame", "hello", "frame"]);
  });

  it("is live at once when a recording begins in the middle", async () => {
    const { source, heard } = play(await write(line(0, chat(1)), line(1, challenge), line(2, hello), line(3, chat(2))));
    await source.finished;
    expect(heard.order).toEqual([
      "connect",
      "hello",
      "frame",
      "lost",
      "connect",
      "frame",
      "hello",
      "frame",
      "frame",
      "ended",
    ]);
  });

  it("passes on a line without a frame unchanged", async () => {
    const odd = ["{", "null", "7", '{"t":1}', "\u0000", line(1, "a text that was no frame"), line(1, null)];
    const { source, heard } = play(await write(line(0, challenge), "", ...odd, "  ", line(2, chat(1)), ""));
    await source.finished;
    expect(heard.frames).toEqual([
      challenge,
      "{",
      "null",
      "7",
      '{"t":1}',
      "\u0000",
      "a text that was no frame",
      null,
      chat(1),
    ]);
  });

  it("plays an empty file", async () => {
    const { source, heard } = play(await write(""));
    await source.finished;
    expect(heard.order).toEqual(["connect", "ended"]);
  });

  it("names a file that cannot be read", async () => {
    for (const file of [join(folder, "missing.ndjson"), folder]) {
      const { source, heard } = play(file);
      await source.finished;
      await source.close();
      expect(heard.order).toEqual(["connect", "refused"]);
      expect(heard.reasons[0]).toContain(`The recording ${file} cannot be read: `);
    }
  });

  it.each([
    ["UTF-8 with a byte order mark", (text: string) => Buffer.from(`\ufeff${text}`)],
    ["UTF-16 of little end, as PowerShell writes it", (text: string) => Buffer.from(`\ufeff${text}`, "utf16le")],
    ["UTF-16 of big end", (text: string) => Buffer.from(`\ufeff${text}`, "utf16le").swap16()],
    ["lines that end with CR LF", (text: string) => Buffer.from(text.replaceAll("\n", "\r\n"))],
  ])("reads %s", async (_what, encode) => {
    const file = join(folder, `${Math.random()}.ndjson`);
    await writeFile(file, encode([line(0, challenge), line(1, hello), line(2, chat(1)), ""].join("\n")));
    const { source, heard } = play(file);
    await source.finished;
    expect(heard.frames).toEqual([challenge, hello, chat(1)]);
    expect(heard.order).toEqual(["connect", "frame", "hello", "frame", "frame", "ended"]);
  });

  it.each([
    ["a package.json", JSON.stringify({ name: "x", scripts: {} }, null, 2), "its first 4 lines hold no frame"],
    ["one JSON text", JSON.stringify([chat(1)]), "its first line holds no frame"],
    ["a long text", "Hello\n".repeat(10_000), "its first 100 lines hold no frame"],
    ["bytes", "\u0000\u0001".repeat(5_000), "its first line holds no frame"],
  ])("gives no frame of a file that is %s", async (_what, content, words) => {
    const { source, heard } = play(await write(content));
    await source.finished;
    expect(heard.order).toEqual(["connect", "refused"]);
    expect(heard.reasons[0]).toContain(words);
  });

  it("refuses a line that does not end", async () => {
    const { source, heard } = play("/dev/zero");
    await source.finished;
    expect(heard.order).toEqual(["connect", "refused"]);
  });

  it("plays frames without their wrapping", async () => {
    const { source, heard } = play(await write("torn line", JSON.stringify(chat(1))));
    await source.finished;
    expect(heard.frames).toEqual(["torn line", JSON.stringify(chat(1))]);
  });

  it("lets the event loop turn without pauses in the recording", async () => {
    const { source, heard } = play(await write(...Array.from({ length: 1_000 }, (_, seq) => line(0, chat(seq)))));
    await heard.framed(1);
    const turns: number[] = [];
    let turning = true;
    const turn = () => {
      turns.push(heard.frames.length);
      if (turning) setImmediate(turn);
    };
    turn();
    await source.finished;
    turning = false;
    const steps = turns.slice(1).map((count, index) => count - (turns[index] ?? 0));
    expect(Math.max(...steps)).toBeLessThanOrEqual(64);
    expect(heard.frames).toHaveLength(1_000);
  });

  it("keeps the recorded pace times its speed", async () => {
    const clock = createTestClock(5_000);
    const file = await write(
      line(100, challenge),
      line(100, hello),
      line(1_100, chat(1)),
      line(900, chat(2)),
      line(2_100, chat(3)),
    );
    const { source, heard } = play(file, { speed: 2, clock });
    await heard.framed(2);
    await waitFor(() => clock.pending === 1);
    clock.advance(499);
    expect(heard.frames).toHaveLength(2);
    clock.advance(1);
    await heard.framed(4);
    await waitFor(() => clock.pending === 1);
    clock.advance(500);
    await source.finished;
    expect(heard.frames).toHaveLength(5);
    expect(clock.pending).toBe(0);
  });

  it("stops in a pause when it is closed", async () => {
    const clock = createTestClock();
    const { source, heard } = play(await write(line(0, chat(1)), line(10_000, chat(2))), { speed: 1, clock });
    await heard.framed(1);
    await waitFor(() => clock.pending === 1);
    await source.close();
    await source.finished;
    expect(clock.pending).toBe(0);
    expect(heard.order).toEqual(["connect", "hello", "frame", "ended"]);
    expect(heard.reasons).toEqual(["The source was closed."]);
    const again = createHeard();
    source.open(again);
    await again.framed(1);
    await source.close();
    expect(again.order).toEqual(["connect", "hello", "frame", "ended"]);
  });

  it("ends when it is closed without having been opened", async () => {
    const source = recordingSource("nowhere.ndjson");
    await source.close();
    await source.finished;
  });

  it.each([
    ["", {}, "Expected `file` to be a path or a file: URL, got `` (string)"],
    [new URL("https://h/a"), {}, "Expected `file` to be a path or a file: URL, got `https://h/a` (string)"],
    ["a", { name: "" }, "Expected `name` to be a string that is not empty, got `` (string)"],
    ["a", { owner: 1 }, "Expected `owner` to be a string, got `1` (number)"],
    ["a", { speed: 0 }, "Expected `speed` to be a number above 0, got `0` (number)"],
    ["a", { speed: Number.NaN }, "Expected `speed` to be a number above 0, got `NaN` (number)"],
  ])("checks its options: %s %j", (file, options, message) => {
    expect(() => recordingSource(file, options as RecordingOptions)).toThrow(
      expect.objectContaining({ code: "ERR_INBOX_OPTION", message }),
    );
  });
});

/** Lets the event loop turn until `met` holds. */
async function waitFor(met: () => boolean): Promise<void> {
  while (!met()) await turn();
}
