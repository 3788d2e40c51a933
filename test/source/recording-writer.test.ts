import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InboxError } from "../../src/errors.ts";
import { recordingSource } from "../../src/source/recording/recording.ts";
import { createRecordingWriter } from "../../src/source/recording/writer.ts";
import { createTestClock } from "../../src/testing/clock.ts";
import { readRecording, recordingPath } from "../../src/testing/recordings.ts";
import { createHeard } from "./heard.ts";

let folder = "";
let file = "";
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "writer-"));
});
afterAll(() => rm(folder, { recursive: true }));

const next = () => (file = join(folder, `${++count}.ndjson`));
const chat = { type: "event", event: "chat", payload: { runId: "r", message: "token: tea" }, seq: 1 };
const lines = async () =>
  (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

describe("a recording writer", () => {
  it("writes one line a frame with the time since its start", async () => {
    const clock = createTestClock(1_000);
    const writer = createRecordingWriter(next(), { clock, conn: "home" });
    writer.frame(chat);
    clock.advance(250);
    writer.frame(JSON.stringify(chat));
    writer.frame(Buffer.from("no frame"));
    await writer.finish();
    expect(await lines()).toEqual([
      { t: 0, conn: "home", frame: chat },
      { t: 250, conn: "home", frame: chat },
      { t: 250, conn: "home", frame: "no frame" },
    ]);
    expect(writer).toMatchObject({ written: 3, dropped: 0 });
  });

  it.skipIf(process.platform === "win32")("creates a file that only its owner can read", async () => {
    await createRecordingWriter(next()).finish();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("removes secrets and keeps message texts", async () => {
    const writer = createRecordingWriter(next());
    const auth = {
      method: "token",
      deviceToken: "s1",
      recoveryScope: "s2",
      deviceTokens: [{ deviceToken: "s3", scopes: ["operator.read"] }],
    };
    writer.link({ type: "hello", hello: { type: "hello-ok", auth } });
    writer.frame({ type: "event", event: "connect.challenge", payload: { nonce: "s4", ts: 1 } });
    writer.frame({ type: "req", params: { auth: { token: "s5", password: "s6" }, device: { signature: "s7" } } });
    writer.frame({ ...chat, totalTokens: 5 });
    await writer.finish();
    const text = await readFile(file, "utf8");
    expect(text).not.toMatch(/s\d/);
    expect(text).toContain('"method":"token"');
    expect(text).toContain('"totalTokens":5');
    expect(text).toContain("token: tea");
  });

  it("drops and counts what JSON cannot hold", async () => {
    const writer = createRecordingWriter(next());
    const circle: { self?: object } = {};
    circle.self = circle;
    const getter = {
      get event() {
        throw new Error("no");
      },
    };
    const deep = JSON.parse(`${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`) as object;
    const odd = [
      deep,
      JSON.stringify(chat).replace('"r"', `${"[".repeat(20_000)}${"]".repeat(20_000)}`),
      circle,
      getter,
      7n,
    ];
    for (const frame of odd) writer.frame(frame);
    writer.link({ type: "hello", hello: deep });
    writer.frame(chat);
    await writer.finish();
    expect(writer).toMatchObject({ written: 1, dropped: 6 });
    expect(await lines()).toMatchObject([{ frame: chat }]);
  });

  it("writes a frame in any form that a socket gives", async () => {
    const writer = createRecordingWriter(next());
    const bytes = new TextEncoder().encode(JSON.stringify(chat));
    for (const frame of [bytes, bytes.buffer, [Buffer.from(bytes.slice(0, 9)), Buffer.from(bytes.slice(9))], undefined])
      writer.frame(frame);
    await writer.finish();
    expect(await lines()).toMatchObject([{ frame: chat }, { frame: chat }, { frame: chat }, { frame: null }]);
  });

  it("appends to an existing recording", async () => {
    next();
    for (const seq of [1, 2]) {
      const writer = createRecordingWriter(file);
      writer.frame({ ...chat, seq });
      await writer.finish();
    }
    expect(await lines()).toMatchObject([{ frame: { seq: 1 } }, { frame: { seq: 2 } }]);
  });

  it("writes what a player plays back", async () => {
    const writer = createRecordingWriter(next());
    const heard = createHeard();
    const source = recordingSource(recordingPath("m1-reconnect-while-running"));
    source.open({
      link: (event) => {
        heard.link(event);
        writer.link(event);
      },
      frame(frame) {
        // A Gateway source keeps the handshake to itself.
        const { event, payload } = frame as { event?: string; payload?: { type?: string } };
        if (event === "connect.challenge" || payload?.type === "hello-ok") return;
        heard.frame(frame);
        writer.frame(frame);
      },
    });
    await source.finished;
    await writer.finish();
    const played = createHeard();
    const again = recordingSource(file);
    again.open(played);
    await again.finished;
    expect(played.links).toEqual(heard.links);
    const original = heard.frames;
    const copy = played.frames.filter((frame) => !isHandshake(frame));
    expect(copy).toEqual(original);
    expect(readRecording(file)).toHaveLength(original.length + 4);
  });

  it("drops and counts frames when the disk is slow", async () => {
    const writer = createRecordingWriter(next(), { maxWaitingBytes: 1_000 });
    for (let i = 0; i < 100; i++) writer.frame(chat);
    await writer.finish();
    expect(writer.dropped).toBeGreaterThan(0);
    expect(writer.written + writer.dropped).toBe(100);
    expect(await lines()).toHaveLength(writer.written);
  });

  it("has written everything before it ends", async () => {
    const writer = createRecordingWriter(next());
    for (let i = 0; i < 5_000; i++) writer.frame(chat);
    const finishing = writer.finish();
    writer.frame(chat);
    await Promise.all([finishing, writer.finish()]);
    expect(await lines()).toHaveLength(5_000);
    expect(writer).toMatchObject({ written: 5_000, dropped: 1 });
  });

  it("reports that the file cannot be written", async () => {
    const errors: InboxError[] = [];
    const nowhere = join(folder, "no", "such", "folder.ndjson");
    const writer = createRecordingWriter(nowhere, { onError: (error) => errors.push(error) });
    writer.frame(chat);
    await expect(writer.finish()).rejects.toMatchObject({ code: "ERR_INBOX_RECORDING" });
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toContain(nowhere);
  });
});

function isHandshake(frame: unknown): boolean {
  const { event, payload } = frame as { event?: string; payload?: { type?: string } };
  return event === "connect.challenge" || payload?.type === "hello-ok";
}
