import { forceCron, handedOver, MAIN_SESSION, newSession, open, settled, unique } from "../acts.ts";
import type { GatewayEvent, Operator } from "../operator.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";

/** The agent's own pulse, and a nudge from outside. */
export const heartbeatScenarios: readonly Scenario[] = [
  { name: "heartbeat that speaks", place: "quiet", play: speaks },
  { name: "heartbeat that is silent", place: "quiet", play: silent },
  { name: "wake with a session key", place: "quiet", play: wake },
];

async function speaks({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const text = unique("Heads up, the disk is nearly full.");
  await beat(operator, `SAY:${text}`);
  await handedOver(inbox, MAIN_SESSION, text);
  return [{ inbox, sessionKey: MAIN_SESSION, texts: [text] }];
}

async function silent({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const before = operator.heard.items.length;
  const isStart = ({ payload }: GatewayEvent): boolean =>
    payload.phase === "start" && payload.sessionKey === MAIN_SESSION;
  const started = operator.heard.when("the heartbeat's run to start", isStart, before);
  await beat(operator, "HBOK");
  await settled(inbox, "discarded", String((await started).payload.runId));
  return [{ inbox, sessionKey: MAIN_SESSION, texts: [] }];
}

async function wake(stage: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const text = unique("Woken up inside the custom session.");
  await stage.operator.request("wake", { mode: "now", text: `SAY:${text}`, sessionKey });
  await handedOver(stage.inbox, sessionKey, text);
  return [{ inbox: stage.inbox, sessionKey, texts: [opening, text] }];
}

// The Gateway's heartbeat is a cron job like others; a forced run takes the path of one by the clock.
async function beat(operator: Operator, instruction: string): Promise<void> {
  const { jobs } = await operator.request<{ jobs: { id: string; agentId?: string; payload?: { kind?: string } }[] }>(
    "cron.list",
    { includeDisabled: true },
  );
  const heartbeat = jobs.find((job) => job.payload?.kind === "heartbeat" && job.agentId === "main");
  if (!heartbeat) throw new Error("the Gateway has no heartbeat job");
  await operator.request("cron.scratch.set", { id: heartbeat.id, content: `- ${instruction}` });
  await forceCron(operator, heartbeat.id);
}
