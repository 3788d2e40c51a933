import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createInbox, type Logger } from "../../src/index.ts";
import { unseenInJob, unseenInMessage } from "../../src/protocol/drift.ts";
import { readRecording, recordingNames } from "../../src/testing/index.ts";
import { turn } from "../helpers/turns.ts";

const generations = new URL("generations/", import.meta.url).pathname;
const recordings = [
  ...recordingNames(),
  ...readdirSync(generations)
    .filter((name) => name.endsWith(".ndjson"))
    .map((name) => `${generations}${name}`),
];

const WORDS = "the Gateway sends something that no tested version has sent";

/** A logger, and what it was told of drift. */
function listener() {
  const told: { what?: string; name?: string }[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (fields, text) => void (text === WORDS && told.push(fields)),
    error() {},
  };
  return { logger, told };
}

/** A request to the Gateway, and its answer. */
interface Call {
  readonly do?: string;
  readonly result?: { readonly jobs?: readonly unknown[]; readonly messages?: readonly unknown[] };
}

interface Frame {
  readonly event?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** Plays frames into an inbox and returns what was told of drift, as `what name`. */
async function driftOf(frames: readonly unknown[]): Promise<readonly string[]> {
  const { logger, told } = listener();
  let hear: ((frame: unknown) => void) | undefined;
  const source = {
    name: "one",
    open: ({ frame }: { frame: (data: unknown) => void }) => (hear = frame),
    close: async () => {},
  };
  const inbox = createInbox({ source: source as never, logger });
  void inbox.start({ timeoutMs: 0 });
  await turn();
  for (const frame of frames) hear?.(frame);
  await inbox.stop({ drainMs: 0 });
  return told.map(({ what, name }) => `${what} ${name}`);
}

async function framesOf(recording: string): Promise<readonly Frame[]> {
  return (await readRecording(recording)).map(({ frame }) => frame as Frame);
}

describe("drift", () => {
  it("is told of no recording of any generation", async () => {
    let frames = 0;
    for (const recording of recordings) {
      const played = await framesOf(recording);
      frames += played.filter(({ event }) => event !== undefined).length;
      expect(await driftOf(played), recording).toEqual([]);
    }
    expect(recordings.length).toBeGreaterThan(60);
    expect(frames).toBeGreaterThan(2_000);
  });

  it("is told of no answer that lists jobs or rows", () => {
    const told = new Set<string>();
    let [jobs, rows] = [0, 0];
    const tell = (what: string, name: string) => told.add(`${what} ${name}`);
    const folders = [new URL(".", import.meta.url).pathname, generations];
    for (const folder of folders)
      for (const name of readdirSync(folder).filter((file) => file.endsWith(".driver.json"))) {
        const calls = JSON.parse(readFileSync(`${folder}${name}`, "utf8")) as readonly Call[];
        for (const { do: method, result } of calls) {
          const listed = (method === "cron.list" && result?.jobs) || [];
          const read = (method === "chat.history" && result?.messages) || [];
          for (const job of listed) unseenInJob(job, tell);
          for (const row of read) unseenInMessage(row, tell);
          jobs += listed.length;
          rows += read.length;
        }
      }
    expect([...told]).toEqual([]);
    expect(jobs).toBeGreaterThan(5);
    expect(rows).toBeGreaterThan(40);
  });

  it("is told once of a field that is added to each frame", async () => {
    const frames = await framesOf("f-long-reply");
    const odd = frames.map((frame) =>
      frame.event === "chat" ? { ...frame, payload: { ...frame.payload, mood: "I am glad." } } : frame,
    );
    expect(await driftOf([...odd, ...odd])).toEqual(["chat field mood"]);
  });

  it.each([
    ["event weather", { type: "event", event: "weather", payload: {} }],
    ["chat state paused", chat({ state: "paused" })],
    ["chat field tone", chat({ tone: "glad" })],
    ["message field mood", chat({ message: { role: "assistant", mood: "glad", content: "Hi" } })],
    ["message role oracle", chat({ message: { role: "oracle", content: "Hi" } })],
    ["content block hologram", chat({ message: { role: "assistant", content: [{ type: "hologram" }] } })],
    ["message mark lane", row({ __openclaw: { id: "1", lane: 1 } })],
    ["agent stream dream", { type: "event", event: "agent", payload: { stream: "dream" } }],
    ["session phase asleep", { type: "event", event: "sessions.changed", payload: { phase: "asleep" } }],
    ["cron field colour", cron({ colour: "red" })],
    ["cron action skipped", cron({ action: "skipped" })],
    ["cron job field colour", cron({ job: { colour: "red" } })],
    ["cron job kind opera", cron({ job: { payload: { kind: "opera" } } })],
    ["cron job target moon", cron({ job: { sessionTarget: "moon:agent:main:secret" } })],
    ["cron schedule never", cron({ job: { schedule: { kind: "never" } } })],
    ["chat field (not shown)", chat({ "What was said, as a key.": 1 })],
    ["chat state (not shown)", chat({ state: "Words with blanks" })],
  ])("tells of the %s", async (told, frame) => {
    expect(await driftOf([frame, frame])).toEqual([told]);
  });

  it.each([
    // 2026.8.1 to 2026.9.1, when a session is given another model.
    ["the event of a changed configuration", { type: "event", event: "config.changed", payload: {} }],
    // 2026.9.6, of a prompt in Telegram.
    [
      "the marks of who wrote in a channel",
      row({ __openclaw: { senderId: "1", senderName: "A", senderIdentity: {} } }),
    ],
    // 2026.6.35.
    ["the copy of what went to a channel", row({ role: "assistant", openclawDeliveryMirror: {} })],
    // 2026.8.2.
    ["the kind of a Gateway's own job", cron({ job: { payload: { kind: "skillCollectionReview" } } })],
    // 2026.5.28.
    ["what a provider said of its failure", row({ role: "assistant", errorType: "stub_error", errorBody: "{}" })],
  ])("knows %s", async (_, frame) => {
    expect(await driftOf([frame])).toEqual([]);
  });

  it("tells of at most 100 names, and that there are more", async () => {
    const many = Array.from({ length: 500 }, (_, i) => chat({ [`field${i}`]: 1 }));
    expect(await driftOf(many)).toHaveLength(100);
  });

  it("withstands anything", async () => {
    const throws = () => {
      throw new Error("no");
    };
    const getter = Object.defineProperty({}, "state", { get: throws, enumerable: true });
    const proxy = new Proxy({}, { ownKeys: throws, get: throws });
    const payloads = [null, 7, "x", [], getter, proxy, { message: proxy }, { message: { content: [proxy, null, 7] } }];
    const names = ["chat", "session.message", "agent", "sessions.changed", "cron"];
    const frames = names.flatMap((event) => payloads.map((payload) => ({ type: "event", event, payload })));
    expect(await driftOf(frames)).toEqual(["cron field state", "cron field message"]);
  });
});

function chat(payload: object): object {
  return {
    type: "event",
    event: "chat",
    payload: { runId: "r", sessionKey: "agent:main:main", state: "final", ...payload },
  };
}

function row(message: object): object {
  const payload = { sessionKey: "agent:main:main", message: { role: "assistant", content: "Hi", ...message } };
  return { type: "event", event: "session.message", payload };
}

function cron(payload: object): object {
  return { type: "event", event: "cron", payload: { jobId: "j", action: "added", ...payload } };
}
