import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { createFakeGateway, readRecording, recordingNames } from "../../src/testing/index.ts";
import { type Client, connectClient, type Frame } from "./client.ts";
import { differences, type Shape, shapeOf } from "./shape.ts";

const KEY = "agent:main:collavre:42:creative:100";

interface DriverStep {
  readonly do: string;
  readonly result?: unknown;
}

const driven = new URL("../recordings/", import.meta.url);
const steps: readonly DriverStep[] = readdirSync(driven)
  .filter((file) => file.endsWith(".driver.json"))
  .flatMap((file) => JSON.parse(readFileSync(new URL(file, driven), "utf8")) as DriverStep[]);
const recorded = recordingNames().flatMap((name) => readRecording(name).map(({ frame }) => frame as unknown as Frame));

/** Answers of the real Gateway: those in the driver files, and those that a recorded client got itself. */
function answers(
  method: string,
  isOne: (payload: Record<string, unknown>) => boolean = () => false,
): readonly unknown[] {
  const heard = recorded.filter(({ type, payload }) => type === "res" && payload !== undefined && isOne(payload));
  const told = steps
    .filter((step) => step.do === method && typeof step.result === "object")
    .map(({ result }) => result);
  return [...told, ...heard.map(({ payload }) => payload)];
}

/** The kind of an event: frames of one kind have one shape. */
function kindOf({ event, payload }: Frame): string {
  if (event === "chat") return `chat ${payload.state}`;
  if (event === "agent") return `agent ${payload.stream} ${payload.data.phase ?? ""}`.trim();
  if (event === "session.message") return `session.message ${payload.message.role}`;
  if (event === "sessions.changed") return `sessions.changed ${payload.phase ?? payload.reason}`;
  if (event === "cron") return `cron ${payload.action}`;
  return String(event);
}

const samples = new Map<string, Frame[]>();
for (const frame of recorded) {
  if (frame.type !== "event") continue;
  const kind = kindOf(frame);
  const others = samples.get(kind);
  if (others === undefined) samples.set(kind, [frame]);
  else others.push(frame);
}

/**
 * A session, a cron job and a transcript row are described alike wherever they turn up, but differently from
 * session to session. So each is taken out of the frame or answer it came in and compared with all
 * recorded ones of its name; what is left is compared with its own kind.
 */
function takeApart(whole: unknown): {
  readonly rest: unknown;
  readonly parts: readonly (readonly [string, unknown])[];
} {
  const parts: (readonly [string, unknown])[] = [];
  const visit = (value: unknown, key: string): unknown => {
    if (Array.isArray(value))
      return value
        .map((element) => visit(element, key === "messages" ? "message" : key))
        .filter((left) => left !== TAKEN);
    if (typeof value !== "object" || value === null) return value;
    const { role, sessionId } = value as { role?: string; sessionId?: unknown };
    if (key === "message" && role !== undefined && "__openclaw" in value) {
      parts.push([`row of ${role}`, value]);
      return TAKEN;
    }
    const isSession = key === "session" || key === "sessionInfo" || key === "sessions";
    if (isSession && sessionId !== undefined) {
      parts.push(["session", value]);
      return TAKEN;
    }
    if (key === "job" || key === "jobs") {
      parts.push(["cron job", value]);
      return TAKEN;
    }
    let entries = Object.entries(value).map(([name, field]) => [name, visit(field, name)] as const);
    if ("session" in value) {
      parts.push(["session beside its events", Object.fromEntries(entries.filter(([name]) => !OWN_KEYS.has(name)))]);
      entries = entries.filter(([name]) => OWN_KEYS.has(name));
    }
    return Object.fromEntries(entries.filter(([, left]) => left !== TAKEN));
  };
  return { rest: visit(whole, ""), parts };
}

const TAKEN = Symbol("taken");

// What an event about a session says beside the description of the session.
const OWN_KEYS = new Set(
  [
    "type",
    "event",
    "payload",
    "seq",
    "sessionKey",
    "agentId",
    "message",
    "messageId",
    "messageSeq",
    "phase",
    "runId",
    "ts",
  ].concat(["reason", "senderIsOwner", "session", "stream", "data", "isHeartbeat", "spawnedBy", "lane"]),
);

const recordedParts = new Map<string, unknown[]>();
for (const source of [...recorded.map((frame) => frame.payload), ...steps.map(({ result }) => result)]) {
  for (const [name, part] of takeApart(source).parts)
    recordedParts.set(name, [...(recordedParts.get(name) ?? []), part]);
}

const partShapes = new Map<string, Shape>();
const restShapes = new Map<string, Shape>();

function restShape(kind: string): Shape {
  const shape = restShapes.get(kind) ?? shapeOf((samples.get(kind) ?? []).map((frame) => takeApart(frame).rest));
  restShapes.set(kind, shape);
  return shape;
}

function partShape(name: string): Shape {
  const shape = partShapes.get(name) ?? shapeOf(recordedParts.get(name) ?? []);
  partShapes.set(name, shape);
  return shape;
}

let client: Client;
let hello: unknown;
const asked = new Map<string, unknown>();

beforeAll(async () => {
  const gateway = await createFakeGateway({ tickIntervalMs: 20 });
  client = await connectClient(gateway);
  hello = client.frames.find(({ payload }) => payload?.type === "hello-ok")?.payload;
  const ask = async (method: string, params: object = {}, name = method) => {
    asked.set(name, (await client.request(method, params)).payload);
    return asked.get(name) as { deltaCursor: string };
  };
  await ask("sessions.subscribe");
  await ask("sessions.messages.subscribe", { key: KEY });
  gateway.say("Plain.", { sessionKey: KEY });
  const { deltaCursor } = await ask("chat.history", { sessionKey: KEY });
  for (const origin of ["cron", "cron-isolated", "cron-current", "heartbeat", "wake", "subagent"] as const) {
    gateway.say(`By ${origin}.`, { sessionKey: KEY, origin });
  }
  gateway.say("By main-session cron.", { origin: "cron" });
  gateway.say("", { sessionKey: KEY, origin: "heartbeat" });
  gateway.say("Failed.", { sessionKey: KEY, end: "error" });
  gateway.say("Failed.", { sessionKey: KEY, end: "error", origin: "send" });
  await ask("chat.history", { sessionKey: KEY, cursor: deltaCursor }, "chat.history by cursor");
  const run = gateway.run({ sessionKey: KEY });
  run.delta("Wrong");
  run.replace("");
  run.delta("Half.");
  await ask("chat.history", { sessionKey: KEY }, "chat.history in flight");
  const helped = gateway.run({ sessionKey: KEY });
  helped.delta("Let me look.");
  helped.callTool();
  helped.delta("Done.");
  helped.final();
  await ask("chat.history", { sessionKey: KEY, limit: 5 }, "chat.history after a tool call");
  await ask("chat.abort", { sessionKey: KEY });
  await ask("chat.send", { sessionKey: KEY, message: "Hi", idempotencyKey: "s" });
  await ask("chat.inject", { sessionKey: KEY, message: "Note." });
  await ask("sessions.list", { limit: 2 });
  await ask("cron.list");
  await ask("cron.runs");
  await client.event("tick");
  await gateway.restart();
  await client.closed;
  await gateway.close();
});

// Parts that no inbox reads: what is in them is the real Gateway's business.
const HELLO_OPAQUE = ["snapshot.health", "snapshot.presence", "controlUiWidgetKinds", "server.buildId"];

it("sends a hello of the recorded shape", () => {
  const real = shapeOf(recorded.filter(({ payload }) => payload?.type === "hello-ok").map(({ payload }) => payload));
  expect(differences(hello, real, HELLO_OPAQUE)).toEqual([]);
});

it("sends only events of the recorded kinds and shapes", () => {
  const found = client.frames
    .filter(({ type }) => type === "event")
    .flatMap((frame) => {
      const kind = kindOf(frame);
      if (!samples.has(kind)) return [`${kind}: never recorded`];
      const { rest, parts } = takeApart(frame);
      const inParts = parts.flatMap(([name, part]) =>
        differences(part, partShape(name)).map((one) => `${name}: ${one}`),
      );
      return [...differences(rest, restShape(kind)), ...inParts].map((one) => `${kind}: ${one}`);
    });
  expect([...new Set(found)]).toEqual([]);
});

it("sends each kind of event in this test", () => {
  const sent = new Set(client.frames.filter(({ type }) => type === "event").map(kindOf));
  expect([...sent].sort()).toMatchInlineSnapshot(`
    [
      "agent assistant",
      "agent lifecycle end",
      "agent lifecycle error",
      "agent lifecycle finishing",
      "agent lifecycle model",
      "agent lifecycle start",
      "agent run_status preparing_context",
      "agent run_status preparing_workspace",
      "agent run_status starting_model",
      "agent usage",
      "chat aborted",
      "chat delta",
      "chat error",
      "chat final",
      "chat status",
      "connect.challenge",
      "cron finished",
      "cron started",
      "heartbeat",
      "session.message assistant",
      "session.message user",
      "sessions.changed cron-binding",
      "sessions.changed end",
      "sessions.changed message",
      "sessions.changed start",
      "shutdown",
      "tick",
    ]
  `);
});

const historyPage = (payload: Record<string, unknown>) => "totalMessages" in payload;

it.each([
  ["sessions.subscribe", answers("", (payload) => "subscribed" in payload && !("key" in payload))],
  [
    "sessions.messages.subscribe",
    answers("sessions.messages.subscribe", (payload) => "subscribed" in payload && "key" in payload),
  ],
  ["sessions.list", answers("", (payload) => Array.isArray(payload["sessions"]))],
  ["chat.history", answers("chat.history", historyPage)],
  ["chat.history after a tool call", answers("chat.history", historyPage)],
  ["chat.history in flight", answers("", (payload) => "inFlightRun" in payload)],
  ["chat.history by cursor", answers("", (payload) => payload["kind"] === "delta")],
  ["chat.send", answers("chat.send")],
  ["chat.abort", answers("chat.abort")],
  ["chat.inject", answers("chat.inject")],
  ["cron.list", answers("cron.list", (payload) => Array.isArray(payload["jobs"]))],
  ["cron.runs", answers("cron.runs", (payload) => Array.isArray(payload["entries"]))],
])("answers %s in the recorded shape", (name, real) => {
  expect(real.length).toBeGreaterThan(0);
  const { rest, parts } = takeApart(asked.get(name));
  // Its keys are the ids of jobs.
  const opaque = ["deliveryPreviews"];
  expect(differences(rest, shapeOf(real.map((one) => takeApart(one).rest)), opaque)).toEqual([]);
  expect(parts.flatMap(([part, value]) => differences(value, partShape(part)))).toEqual([]);
});
