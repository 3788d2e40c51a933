import { askAgent, beat, calm, MAIN_SESSION, newSession, onTheWire, settled } from "../acts.ts";
import type { GatewayEvent, Operator } from "../operator.ts";
import { isAtLeast } from "../releases.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";

/** Runs that end without a message. */
export const silenceScenarios: readonly Scenario[] = [
  { name: "heartbeat that is silent", place: "quiet", gap: silentGap, play: silent },
  // Alone: until its end, runs of other sessions may take the failing model, too.
  { name: "model failure", place: "gateway", play: failure },
  { name: "abort", place: "crowd", play: abort },
];

function silentGap(version: string): string | undefined {
  return isAtLeast(version, "2026.5.28") ? undefined : "No event there ends a run that nobody but subscribers hear of.";
}

async function silent(stage: Stage): Promise<readonly Expectation[]> {
  const { operator, model, inbox } = stage;
  const isStart = ({ payload }: GatewayEvent): boolean =>
    payload.phase === "start" && payload.sessionKey === MAIN_SESSION;
  const started = operator.heard.when("the heartbeat's run to start", isStart, operator.heard.items.length);
  model.otherwise = "HEARTBEAT_OK";
  await calm();
  await beat(stage, "HBOK");
  await settled(inbox, "discarded", String((await started).payload.runId));
  return [{ inbox, sessionKey: MAIN_SESSION, texts: [] }];
}

// A rejected key fails at once; the Gateway would repeat a server error for more than a minute.
async function failure({ operator, gateway, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  await operator.request("sessions.patch", { key: sessionKey, model: "failing/stub-1" });
  await settled(inbox, "errored", await askAgent(operator, sessionKey, "FAIL401"));
  if (isModelSticky(gateway.version)) await chooseForAll(operator, sessionKey, "stub/stub-1");
  return [{ inbox, sessionKey, texts: [] }];
}

/** Whether a model that is chosen for one session becomes that of all. */
function isModelSticky(version: string): boolean {
  return isAtLeast(version, "2026.8.1") && !isAtLeast(version, "2026.9.5");
}

const CHOICE_TIMEOUT_MS = 30_000;

/** Resolves when an agent speaks with the model: the Gateway reads its new configuration about a second later. */
async function chooseForAll(operator: Operator, sessionKey: string, model: string): Promise<void> {
  await operator.request("sessions.patch", { key: sessionKey, model });
  const until = Date.now() + CHOICE_TIMEOUT_MS;
  for (let state: unknown; state !== "final" && Date.now() < until; ) {
    const runId = await askAgent(operator, newSession(), "SAY:Here.");
    const isEnd = ({ event, payload }: GatewayEvent): boolean =>
      event === "chat" && payload.runId === runId && (payload.state === "final" || payload.state === "error");
    state = (await operator.heard.when(`run ${runId} to end`, isEnd)).payload.state;
  }
}

async function abort({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const runId = await askAgent(operator, sessionKey, "SLOW:60 DELAY=200");
  await onTheWire(operator, runId, "delta");
  await operator.request("chat.abort", { sessionKey, runId });
  await settled(inbox, "aborted", runId);
  return [{ inbox, sessionKey, texts: [] }];
}
