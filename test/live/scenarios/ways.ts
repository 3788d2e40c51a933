import { randomUUID } from "node:crypto";
import {
  answer,
  askAgent,
  beat,
  calm,
  idle,
  MAIN_SESSION,
  newSession,
  onTheWire,
  open,
  runCron,
  said,
  unique,
} from "../acts.ts";
import { isAtLeast } from "../releases.ts";
import type { Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";
import type { Speech, Spoken, Way } from "../way.ts";

/** Each way an agent can speak, alone and in the background as well as asked by somebody else. */
export const ways: readonly Way[] = [
  { name: "cron, main session", place: "quiet", prepare: cronMain },
  { name: "wake with a session key", place: "quiet", prepare: wake },
  {
    name: "heartbeat that speaks",
    place: "quiet",
    heardGap: heartbeatGap,
    missedGap: heartbeatGap,
    prepare: heartbeat,
  },
  { name: "sub-agent's report", place: "quiet", prepare: subagent },
  // After the heartbeats: what the Gateway holds back of these it drops, and of cron jobs not.
  {
    name: "cron, main session, 20,000 characters",
    place: "quiet",
    heardGap: heartbeatGap,
    missedGap: heartbeatGap,
    prepare: cronMainLong,
  },
  { name: "cron, isolated", place: "crowd", prepare: cronIsolated },
  { name: "cron, named session", place: "crowd", prepare: cronNamed },
  { name: "cron, current", place: "crowd", prepare: cronCurrent },
  { name: "agent, by another client", place: "crowd", prepare: agent },
  { name: "chat.send, by another client", place: "crowd", prepare: chatSend },
  { name: "chat.inject", place: "crowd", prepare: inject },
  { name: "tool call in the middle", place: "crowd", prepare: tool },
  { name: "two texts of 9,000 characters around a tool call", place: "crowd", prepare: longTool },
  {
    name: "queued follow-up of 9,000 characters",
    place: "crowd",
    heardGap: followUpGap,
    missedGap: followUpGap,
    prepare: followUp,
  },
  { name: "/status, by another client", place: "crowd", prepare: (stage) => command(stage, "/status") },
  { name: "/help, by another client", place: "crowd", prepare: (stage) => command(stage, "/help") },
  { name: "/new, by another client", place: "crowd", prepare: (stage) => command(stage, "/new") },
  {
    name: "/help under an id with what looks like a secret",
    place: "crowd",
    prepare: (stage) => command(stage, "/help", secretId()),
  },
];

/** Measured: after a text that went to no channel, a heartbeat repeats that text to nobody, and no run begins. */
export function heartbeatGap(version: string): string | undefined {
  return isAtLeast(version, "2026.5.28")
    ? undefined
    : "After a heartbeat whose words no channel took, the main session begins no run there.";
}

// Measured, four times out of four: "session file changed while embedded prompt lock was released".
function followUpGap(version: string): string | undefined {
  // Measured, four times out of four, on an idle machine. On a busy one it was answered, twice out of twice.
  if (!isAtLeast(version, "2026.5.28")) return "A question that comes in the middle of a run is not answered.";
  return isAtLeast(version, "2026.6.11") && !isAtLeast(version, "2026.6.35")
    ? "A question that comes in the middle of a run is not answered: its own run breaks."
    : undefined;
}

async function cronMain(stage: Stage): Promise<Speech> {
  await calm();
  const text = unique("Time to stretch.");
  return () => remindMain(stage, text, `SAY:${text}`);
}

let longTexts = 0;

async function cronMainLong(stage: Stage): Promise<Speech> {
  await calm();
  // None begins like another.
  longTexts += 1;
  const first = 10_000 * longTexts;
  return () => remindMain(stage, numberedWords(3_500, first), `LONG:3500@${first} DELAY=5`);
}

async function remindMain(stage: Stage, text: string, prompt: string): Promise<Spoken> {
  const { operator, model } = stage;
  model.otherwise = text;
  const heard = said(operator, text, { after: operator.heard.items.length });
  await runCron(operator, { sessionTarget: "main", payload: { kind: "systemEvent", text: prompt } });
  // From 2026.5.28 to 2026.7 the job runs under a key of its own.
  const sessionKey = await heard;
  await idle(operator, sessionKey);
  return { sessionKey, texts: [text] };
}

async function heartbeat(stage: Stage): Promise<Speech> {
  await calm();
  const { operator, model } = stage;
  const text = unique("Heads up, the disk is nearly full.");
  return async () => {
    model.otherwise = text;
    // On an old Gateway the hearts of all agents beat.
    const heard = said(operator, text, { inSession: MAIN_SESSION });
    await beat(stage, `SAY:${text}`);
    await idle(operator, await heard);
    return { sessionKey: MAIN_SESSION, texts: [text] };
  };
}

async function wake(stage: Stage): Promise<Speech> {
  await calm();
  const { operator, model } = stage;
  // An agent of its own: the Gateway counts the wakes of each.
  const sessionKey = newSession("second");
  const opening = await open(stage, sessionKey);
  const text = unique("Woken up inside the custom session.");
  return async () => {
    model.otherwise = text;
    await operator.request("wake", { mode: "now", text: `SAY:${text}`, sessionKey });
    await idle(operator, await said(operator, text));
    return { sessionKey, texts: [opening, text] };
  };
}

// The job is kept: when it is removed after its run, the Gateway's transcript of it goes, too.
async function cronIsolated({ operator }: Stage): Promise<Speech> {
  const text = unique("The nightly report is ready.");
  return async () => {
    const { payload } = await runCron(operator, {
      deleteAfterRun: false,
      sessionTarget: "isolated",
      payload: { kind: "agentTurn", message: `SAY:${text}` },
      delivery: { mode: "none" },
    });
    // Old Gateways do not name it.
    const sessionKey = String(payload.sessionKey ?? `agent:main:cron:${payload.jobId}:run:${payload.sessionId}`);
    return { sessionKey, texts: [text], like: { origin: "cron" }, transcriptKey: `agent:main:cron:${payload.jobId}` };
  };
}

async function cronNamed({ operator }: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const text = unique("Cron into a named session.");
  return async () => {
    const payload = { kind: "agentTurn", message: `SAY:${text}` };
    await runCron(operator, { sessionTarget: `session:${sessionKey}`, payload, delivery: { mode: "none" } });
    return { sessionKey, texts: [text] };
  };
}

// What "remind me tomorrow" makes. From 2026.8 on it runs under a key of its own, and only its copy is in the conversation.
async function cronCurrent(stage: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const text = unique("The reminder you asked for.");
  return async () => {
    const payload = { kind: "agentTurn", message: `SAY:${text}` };
    await runCron(stage.operator, { sessionTarget: "current", sessionKey, payload });
    return { sessionKey, texts: [opening, text] };
  };
}

async function agent(stage: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const text = unique("Asked for by somebody else.");
  return async () => {
    const runId = await askAgent(stage.operator, sessionKey, `SAY:${text}`);
    await onTheWire(stage.operator, runId, "final");
    return { sessionKey, texts: [opening, text] };
  };
}

async function chatSend({ operator, gateway }: Stage): Promise<Speech> {
  // Before, neither its events nor its rows say that somebody asked.
  const origin = isAtLeast(gateway.version, "2026.5.28") ? "requested" : "unknown";
  const sessionKey = newSession();
  const text = unique("An answer to another client.");
  return async () => {
    const idempotencyKey = `send-${randomUUID()}`;
    await operator.request("chat.send", { sessionKey, message: `SAY:${text}`, idempotencyKey });
    // Its row comes before it, and whoever connects in between hears it live.
    await onTheWire(operator, idempotencyKey, "final");
    return { sessionKey, texts: [text], like: { origin }, ...notSaidWhenMissed(gateway.version) };
  };
}

async function inject(stage: Stage): Promise<Speech> {
  const { operator } = stage;
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const [labelled, plain] = [unique("A note with a label."), unique("A note without one.")];
  return async () => {
    await operator.request("chat.inject", { sessionKey, message: labelled, label: "bridge" });
    await operator.request("chat.inject", { sessionKey, message: plain });
    await said(operator, plain);
    const texts = [opening, `[bridge]\n\n${labelled}`, plain];
    return { sessionKey, texts, like: { origin: "injected" } };
  };
}

async function tool({ operator, gateway }: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const [before, after] = [unique("Let me look first."), unique("Nothing unusual there.")];
  return async () => {
    const runId = await askAgent(operator, sessionKey, `TOOL:${before}||session_status||{}||${after}`);
    await onTheWire(operator, runId, "final");
    return { sessionKey, texts: [joined(gateway.version, before, after)] };
  };
}

// Longer than what a Gateway shows of a row.
async function longTool({ operator, gateway }: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const [before, after] = [longSentence("Let me look first."), longSentence("Nothing unusual there.")];
  return async () => {
    const runId = await askAgent(operator, sessionKey, `DELAY=1 TOOL:${before}||session_status||{}||${after}`);
    await onTheWire(operator, runId, "final");
    return { sessionKey, texts: [joined(gateway.version, before, after)] };
  };
}

// Asked while the agent is busy with something else; its answer comes under a run id of its own.
async function followUp(stage: Stage): Promise<Speech> {
  const { operator } = stage;
  const sessionKey = newSession();
  const [first, second] = [unique("The first answer takes its time, word by word."), longSentence("The second one.")];
  return async () => {
    const runId = await askAgent(operator, sessionKey, `DELAY=300 SAY:${first}`);
    await onTheWire(operator, runId, "delta");
    const idempotencyKey = `send-${randomUUID()}`;
    await operator.request("chat.send", { sessionKey, message: `DELAY=1 SAY:${second}`, idempotencyKey });
    await idle(operator, await said(operator, second));
    return { sessionKey, texts: [first, second] };
  };
}

// The Gateway answers it, and not the agent: by the final of the run, and by a row without a run.
async function command(
  { operator }: Stage,
  message: string,
  idempotencyKey = `command-${randomUUID()}`,
): Promise<Speech> {
  const sessionKey = newSession();
  return async () => {
    await operator.request("chat.send", { sessionKey, message, idempotencyKey });
    const text = await answer(operator, idempotencyKey);
    return { sessionKey, texts: [text] };
  };
}

/** A UUID with "fc-" and twelve digits, as one of 256 has. Some Gateways mask that in rows. */
function secretId(): string {
  const uuid = randomUUID();
  return `command-${uuid.slice(0, 21)}fc-${uuid.slice(24)}`;
}

function longSentence(beginning: string): string {
  return `${unique(beginning)} ${"Blah, blah. ".repeat(760)}The end.`;
}

// Before 2026.8 the rows of a run do not always say where it comes from.
function notSaidWhenMissed(version: string): Pick<Spoken, "likeMissed"> {
  return isAtLeast(version, "2026.8.1") ? {} : { likeMissed: {} };
}

// The helper's own run is internal; what its parent announces of it is the message.
async function subagent({ operator, gateway, model }: Stage): Promise<Speech> {
  const sessionKey = newSession();
  const [before, after, report] = [
    unique("Sending a helper."),
    unique("It is on its way."),
    unique("Report from the helper."),
  ];
  const task = { task: `SAY:${report}`, label: "helper" };
  const call = `sessions_spawn||${JSON.stringify(task)}`;
  return async () => {
    model.otherwise = report;
    const announced = operator.heard.when(
      "the helper's report",
      ({ event, payload }) =>
        event === "chat" &&
        payload.state === "final" &&
        payload.sessionKey === sessionKey &&
        String(payload.runId).startsWith("announce:"),
    );
    await askAgent(operator, sessionKey, `TOOL:${before}||${call}||${after}`);
    await announced;
    const texts = [joined(gateway.version, before, after), report];
    const like = { origin: "announcement" } as const;
    return { sessionKey, texts, like, ...notSaidWhenMissed(gateway.version) };
  };
}

// As the Gateway's own final has it.
function joined(version: string, before: string, after: string): string {
  return `${before}${isAtLeast(version, "2026.9.5") ? "\n\n" : ""}${after}`;
}
