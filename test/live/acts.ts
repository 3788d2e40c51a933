import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProactiveMessage, RunOutcome } from "../../src/index.ts";
import { textOf } from "./message-text.ts";
import type { GatewayEvent, Operator } from "./operator.ts";
import type { Stage } from "./scenario.ts";
import type { LocalInbox, TestedInbox } from "./tested-inbox.ts";

/** The agent's main session. */
export const MAIN_SESSION = "agent:main:main";

let sessions = 0;

/** The key of a session that no other scenario speaks in. */
export function newSession(agentId = "main"): string {
  sessions += 1;
  return `agent:${agentId}:collavre:42:creative:100:topic:${sessions}`;
}

/** A sentence that no other scenario says. */
export function unique(sentence: string): string {
  return `${sentence} (${randomUUID().slice(0, 8)})`;
}

/** Has the agent answer `prompt` in a session, as another client would. Resolves with the run's id when the Gateway has accepted it. */
export async function askAgent(operator: Operator, sessionKey: string, prompt: string): Promise<string> {
  const runId = `run-${randomUUID()}`;
  await operator.request("agent", { message: prompt, sessionKey, idempotencyKey: runId });
  return runId;
}

/** Has the agent say one sentence in a session, waits until it is handed over and the agent is idle again, and resolves with it. */
export async function open(
  { operator, inbox }: Pick<Stage, "operator"> & { readonly inbox: TestedInbox },
  sessionKey: string,
): Promise<string> {
  const text = unique("The opening turn.");
  const runId = await askAgent(operator, sessionKey, `SAY:${text}`);
  const ended = operator.heard.when(
    `run ${runId} to end`,
    ({ payload }) => payload.runId === runId && payload.phase === "end",
  );
  await Promise.all([handedOver(inbox, sessionKey, text), ended]);
  return text;
}

/**
 * Adds a cron job that is due in an hour and runs it now: it takes the path of one by the clock, and no
 * busy machine can make it late. Resolves with its `finished` event.
 */
export async function runCron(operator: Operator, job: object): Promise<GatewayEvent> {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const defaults = { name: `job-${randomUUID().slice(0, 8)}`, enabled: true, deleteAfterRun: true, wakeMode: "now" };
  const { id } = await operator.request<{ id: string }>("cron.add", {
    ...defaults,
    schedule: { kind: "at", at },
    ...job,
  });
  return forceCron(operator, id);
}

/** Runs a cron job now, and resolves with its `finished` event. */
async function forceCron(operator: Operator, jobId: string, attempt = 1): Promise<GatewayEvent> {
  const before = operator.heard.items.length;
  await operator.request("cron.run", { id: jobId, mode: "force" });
  const isEnd = ({ event, payload }: GatewayEvent): boolean =>
    event === "cron" && payload.jobId === jobId && payload.action === "finished";
  const end = await operator.heard.when(`cron job ${jobId} to finish`, isEnd, before);
  const { status, error } = end.payload;
  // On 2026.5.12, beside other runs, before the agent has begun.
  if (/setup timed out before runner start/.test(String(error)) && attempt < 3) {
    process.stdout.write(`THE GATEWAY DID NOT START A CRON JOB BY ITSELF: "${String(error)}". IT IS RUN ONCE MORE.\n`);
    return forceCron(operator, jobId, attempt + 1);
  }
  // Without a channel to announce it in, it was said nevertheless.
  if (status !== "ok" && !/Channel is required/.test(String(error)))
    throw new Error(`cron job ${jobId} finished with ${status}: ${JSON.stringify(error)}`);
  return end;
}

/**
 * Waits until the driving connection has heard the agent say a text, and resolves with the key of the session it was said
 * in. `after`: not among the oldest events. `inSession`: only there.
 */
export async function said(
  operator: Operator,
  text: string,
  { after = 0, inSession }: { readonly after?: number; readonly inSession?: string } = {},
): Promise<string> {
  const start = text.slice(0, 60);
  const isIt = ({ event, payload }: GatewayEvent): boolean => {
    if (inSession !== undefined && payload.sessionKey !== inSession) return false;
    const message = payload.message as { readonly role?: string; readonly content?: unknown } | undefined;
    if (event !== "session.message" && !(event === "chat" && payload.state === "final")) return false;
    return message?.role === "assistant" && textOf(message).startsWith(start);
  };
  const { payload } = await operator.heard.when(`the agent to say "${start}"`, isIt, after);
  return String(payload.sessionKey);
}

/** Waits until all runs that the driving connection has seen beginning in a session have ended. */
export async function idle({ heard }: Operator, sessionKey: string): Promise<void> {
  const isPhase = ({ event, payload }: GatewayEvent, ...phases: readonly string[]): boolean =>
    event === "sessions.changed" && phases.includes(String(payload.phase));
  const begun = heard.items.filter((each) => each.payload.sessionKey === sessionKey && isPhase(each, "start"));
  for (const { runId } of begun.map(({ payload }) => payload))
    await heard.when(`run ${runId} to end`, (each) => each.payload.runId === runId && isPhase(each, "end", "error"));
}

/** Waits for the final of a run, and resolves with its text. */
export async function answer(operator: Operator, runId: string): Promise<string> {
  const { payload } = await operator.heard.when(`run ${runId} to be final`, ({ event, payload }) => {
    return event === "chat" && payload.runId === runId && payload.state === "final";
  });
  return textOf(Object(payload.message)).trimEnd();
}

const wakes: number[] = [];
/** From the sixth within a minute on a Gateway holds wakes and reminders back, and drops some. */
const WAKES_A_MINUTE = 5;

/** Waits until an agent may be woken again, and counts that it is. */
export async function calm(): Promise<void> {
  const before = wakes.at(-WAKES_A_MINUTE) ?? 0;
  const waitMs = before + 61_000 - Date.now();
  if (waitMs > 0) await delay(waitMs);
  wakes.push(Date.now());
}

/** Has the main agent's heart beat once, with an instruction. */
export async function beat(
  { operator, gateway }: Pick<Stage, "operator" | "gateway">,
  instruction: string,
): Promise<void> {
  const { jobs } = await operator.request<{ jobs: { id: string; agentId?: string; payload?: { kind?: string } }[] }>(
    "cron.list",
    { includeDisabled: true },
  );
  const heartbeat = jobs.find((job) => job.payload?.kind === "heartbeat" && job.agentId === "main");
  if (heartbeat) {
    // A cron job like others: a forced run takes the path of one by the clock.
    await operator.request("cron.scratch.set", { id: heartbeat.id, content: `- ${instruction}` });
    await forceCron(operator, heartbeat.id);
  } else {
    // On old Gateways it is no job; a wake that names no session is one, of every agent.
    await writeFile(path.join(gateway.workspace, "HEARTBEAT.md"), `- ${instruction}\n`);
    await operator.request("wake", { mode: "now", text: instruction });
  }
}

/** Waits for the message with this text, and resolves with it. Throws when it came, but one of the fields in `like` has another value. */
export async function handedOver(
  inbox: TestedInbox,
  sessionKey: string,
  text: string,
  like: Partial<ProactiveMessage> = {},
): Promise<ProactiveMessage> {
  const start = text.slice(0, 60);
  const message = await inbox.messages.when(
    `"${start}" of ${sessionKey} to be handed over`,
    (candidate) => candidate.sessionKey === sessionKey && candidate.text.startsWith(start),
  );
  for (const [field, expected] of Object.entries(like)) {
    const actual = message[field as keyof ProactiveMessage];
    if (actual !== expected) throw new Error(`"${start}" came with ${field} ${String(actual)}, expected ${expected}`);
  }
  return message;
}

/** Waits until a run has settled without a message. */
export function settled(inbox: LocalInbox, status: RunOutcome["status"], runId: string): Promise<RunOutcome> {
  return inbox.outcomes.when(
    `run ${runId} to be ${status}`,
    (outcome) => outcome.status === status && "runId" in outcome && outcome.runId === runId,
  );
}

/** Waits until `count` chat events of a run in this state have been on the wire. */
export async function onTheWire(operator: Operator, runId: string, state: string, count = 1): Promise<void> {
  const matches = ({ event, payload }: GatewayEvent): boolean =>
    event === "chat" && payload.runId === runId && payload.state === state;
  await operator.heard.when(`${count} \`${state}\` of run ${runId} on the wire`, (heard) => {
    return matches(heard) && operator.heard.items.filter(matches).length >= count;
  });
}
