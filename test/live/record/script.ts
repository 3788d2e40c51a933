import { beat } from "../acts.ts";
import type { GatewayEvent, Operator } from "../operator.ts";
import { isAtLeast } from "../releases.ts";
import type { OpenStage } from "../stage.ts";

/** What the driving connection did, as the file beside a recording keeps it. */
export interface DriverStep {
  readonly do: string;
  readonly params?: object;
  readonly result?: unknown;
}

/** What a recorded scenario acts with: it calls, and each call is noted. */
export interface Director {
  readonly stage: OpenStage;
  readonly topic: (id: number) => string;
  /** The id of the run that a client asks for. */
  readonly runId: (of: string) => string;
  call(method: string, params: object): Promise<Record<string, unknown>>;
  /** Notes an act that is no call. */
  note(step: DriverStep): void;
  /** Waits for a chat event that ends a run of a session whose key holds `part`. */
  ended(part: string): Promise<GatewayEvent>;
  /** Waits for any event. */
  heard(what: string, matches: (event: GatewayEvent) => boolean): Promise<GatewayEvent>;
}

/** The scenarios that are recorded of a generation, by name; each speaks in sessions of its own. */
export const scripts: ReadonlyMap<string, (director: Director) => Promise<void>> = new Map([
  ["agent", agent],
  ["chat-send", chatSend],
  ["cron-main", cronMain],
  ["cron-isolated", cronIsolated],
  ["cron-named", cronNamed],
  ["cron-current", cronCurrent],
  ["chat-inject", inject],
  ["tool-in-the-middle", tool],
  ["wake", wake],
  ["heartbeat", heartbeat],
  ["abort", abort],
  ["no-reply", noReply],
  ["slash-command", slashCommand],
  ["long-tool", longTool],
  ["long-follow-up", longFollowUp],
]);

async function agent({ call, ended, topic, runId }: Director): Promise<void> {
  await call("agent", {
    message: "SAY:Words for another client.",
    sessionKey: topic(500),
    idempotencyKey: runId("run"),
  });
  await ended(topic(500));
}

async function chatSend({ call, ended, topic, runId }: Director): Promise<void> {
  const params = { message: "SAY:Sent by another client.", sessionKey: topic(501), idempotencyKey: runId("send") };
  await call("chat.send", params);
  await ended(topic(501));
}

async function cronMain({ stage, call, heard }: Director): Promise<void> {
  const text = "Time to stretch, says the reminder.";
  stage.model.otherwise = text;
  const spoken = heard("the reminder's row", saying(text));
  await fire(call, { sessionTarget: "main", payload: { kind: "systemEvent", text: `SAY:${text}` } });
  const { payload } = await spoken;
  await heard("the reminder's run to end", endOf(String(payload.sessionKey)));
}

async function cronIsolated({ call, ended }: Director): Promise<void> {
  const payload = { kind: "agentTurn", message: "SAY:The nightly report." };
  await fire(call, { sessionTarget: "isolated", payload, delivery: { mode: "none" } });
  await ended(":cron:");
}

async function cronNamed({ call, ended, topic }: Director): Promise<void> {
  const payload = { kind: "agentTurn", message: "SAY:Cron into a named session." };
  await fire(call, { sessionTarget: `session:${topic(502)}`, payload, delivery: { mode: "none" } });
  await ended(topic(502));
}

async function cronCurrent({ stage, call, ended, heard, topic, runId }: Director): Promise<void> {
  await call("agent", { message: "SAY:opening turn", sessionKey: topic(503), idempotencyKey: runId("opening") });
  await ended(topic(503));
  const text = "The reminder you asked for.";
  const spoken = heard("the reminder in its conversation", (event) => {
    return saying(text)(event) && event.payload.sessionKey === topic(503);
  });
  const payload = { kind: "agentTurn", message: `SAY:${text}` };
  const finished = heard(
    "the job to finish",
    ({ event, payload: { action } }) => event === "cron" && action === "finished",
  );
  await fire(call, { sessionTarget: "current", sessionKey: topic(503), payload });
  await spoken;
  await finished;
  if (!isAtLeast(stage.gateway.version, "2026.8.1")) await heard("its run to end", endOf(topic(503)));
}

async function inject({ call, ended, heard, topic, runId }: Director): Promise<void> {
  await call("agent", { message: "SAY:opening turn", sessionKey: topic(504), idempotencyKey: runId("opening") });
  await ended(topic(504));
  const first = heard("the first note", saying("[bridge]"));
  await call("chat.inject", { sessionKey: topic(504), message: "A note with a label.", label: "bridge" });
  await first;
  const second = heard("the second note", saying("A note without"));
  await call("chat.inject", { sessionKey: topic(504), message: "A note without one." });
  await second;
}

async function tool({ call, ended, topic, runId }: Director): Promise<void> {
  const message = "TOOL:Let me look first.||session_status||{}||Nothing unusual there.";
  await call("agent", { message, sessionKey: topic(505), idempotencyKey: runId("run") });
  await ended(topic(505));
}

async function wake({ stage, call, ended, heard, topic, runId }: Director): Promise<void> {
  await call("agent", { message: "SAY:opening turn", sessionKey: topic(506), idempotencyKey: runId("opening") });
  await ended(topic(506));
  const text = "Woken up inside the session.";
  stage.model.otherwise = text;
  const spoken = heard("the words of the wake", saying(text));
  await call("wake", { mode: "now", text: `SAY:${text}`, sessionKey: topic(506) });
  await spoken;
  await heard("the wake's run to end", endOf(topic(506)));
}

async function heartbeat({ stage, note, heard }: Director): Promise<void> {
  const text = "Heads up, the disk is nearly full.";
  stage.model.otherwise = text;
  const spoken = heard("the heartbeat's words", (event) => {
    return saying(text)(event) && event.payload.sessionKey === "agent:main:main";
  });
  note({ do: "heartbeat", params: { content: `SAY:${text}` } });
  await beat(stage, `SAY:${text}`);
  await spoken;
  await heard("the heartbeat's run to end", endOf("agent:main:main"));
}

async function abort({ call, ended, heard, topic, runId }: Director): Promise<void> {
  const delta = heard("the first words", ({ event, payload }) => {
    return event === "chat" && payload.state === "delta" && payload.sessionKey === topic(507);
  });
  const end = ended(topic(507));
  await call("agent", { message: "SLOW:60 DELAY=200", sessionKey: topic(507), idempotencyKey: runId("run") });
  await delta;
  await call("chat.abort", { sessionKey: topic(507), runId: runId("run") });
  await end;
}

async function noReply({ call, ended }: Director): Promise<void> {
  const payload = { kind: "agentTurn", message: "SILENT" };
  await fire(call, { sessionTarget: "isolated", payload, delivery: { mode: "none" } });
  await ended(":cron:");
}

async function slashCommand({ call, ended, topic, runId }: Director): Promise<void> {
  await call("chat.send", { message: "/new", sessionKey: topic(508), idempotencyKey: runId("command") });
  await ended(topic(508));
}

/** Longer than what a Gateway shows of a row, or of some finals. */
function longText(beginning: string): string {
  return `${beginning} ${"Blah, blah. ".repeat(750)}The end.`;
}

async function longTool({ call, ended, topic, runId }: Director): Promise<void> {
  const message = `TOOL:${longText("Before.")}||session_status||{}||${longText("After.")}`;
  await call("agent", { message: `DELAY=1 ${message}`, sessionKey: topic(509), idempotencyKey: runId("run") });
  await ended(topic(509));
}

async function longFollowUp({ call, heard, topic, runId }: Director): Promise<void> {
  const first = { message: "DELAY=300 SAY:One word after the other.", sessionKey: topic(510) };
  const delta = heard("the first words", ({ event, payload }) => {
    return event === "chat" && payload.state === "delta" && payload.sessionKey === topic(510);
  });
  await call("agent", { ...first, idempotencyKey: runId("run") });
  await delta;
  const second = { message: `DELAY=1 SAY:${longText("Asked in between.")}`, sessionKey: topic(510) };
  await call("chat.send", { ...second, idempotencyKey: runId("send") });
  await heard("the second answer", saying("Asked in between. Blah"));
}

// A job that is due in an hour and run now takes the path of one by the clock.
async function fire(call: Director["call"], job: object): Promise<void> {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const defaults = { name: "job", enabled: true, deleteAfterRun: false, wakeMode: "now", schedule: { kind: "at", at } };
  const { id } = await call("cron.add", { ...defaults, ...job });
  await call("cron.run", { id, mode: "force" });
}

function saying(text: string): (event: GatewayEvent) => boolean {
  return ({ event, payload }) => event === "session.message" && JSON.stringify(payload.message ?? "").includes(text);
}

function endOf(sessionKey: string): (event: GatewayEvent) => boolean {
  return ({ event, payload }) =>
    event === "sessions.changed" && payload.sessionKey === sessionKey && payload.phase === "end";
}

/** What has been driven is told by events that this connection hears. */
export function createDirector(stage: OpenStage, steps: DriverStep[], scenario: string): Director {
  const { operator } = stage;
  const from = operator.heard.items.length;
  const heard: Director["heard"] = (what, matches) => operator.heard.when(what, matches, from);
  return {
    stage,
    heard,
    runId: (of) => `${of}-${stage.gateway.version}-${scenario}`,
    topic: (id) => `agent:main:collavre:42:creative:100:topic:${id}`,
    note: (step) => steps.push(step),
    ended: (part) => nextEnd(operator, part, from),
    async call(method, params) {
      const result = await operator.request(method, params);
      steps.push({ do: method, params, result });
      return result;
    },
  };
}

function nextEnd(operator: Operator, part: string, from: number): Promise<GatewayEvent> {
  const isEnd = ({ event, payload }: GatewayEvent): boolean =>
    event === "chat" &&
    ["final", "error", "aborted"].includes(String(payload.state)) &&
    String(payload.sessionKey).includes(part);
  return operator.heard.when(`a run of ${part} to end`, isEnd, from);
}
