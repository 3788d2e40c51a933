import { askAgent, handedOver, newSession, onTheWire, settled, unique } from "../acts.ts";
import { isAtLeast } from "../releases.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";
import { openInbox } from "../tested-inbox.ts";

/** The Gateway itself ends and is started again. */
export const gatewayRestartScenarios: readonly Scenario[] = [
  { name: "Gateway SIGTERM mid-run and restarted", place: "gateway", remark, play: terminated },
  { name: "Gateway SIGKILL mid-run and restarted", place: "gateway", remark, play: killed },
];

const TAKES_UP_SINCE = "2026.8.1";

function remark(version: string): string | undefined {
  return takesUp(version) ? undefined : "The run ends with the Gateway, which does not take it up: it expires here.";
}

// A Gateway that is asked to end lets its runs finish, and tells them to who listens.
async function terminated(stage: Stage): Promise<readonly Expectation[]> {
  const { operator, gateway, inbox } = stage;
  const sessionKey = newSession();
  const runId = await askAgent(operator, sessionKey, "SLOW:20 DELAY=100");
  await onTheWire(operator, runId, "delta", 3);
  await gateway.kill("SIGTERM");
  await gateway.start();
  const text = numberedWords(20);
  if (takesUp(gateway.version)) await handedOver(inbox, sessionKey, text);
  // A session whose run has ended so may be held by it for a while.
  const next = takesUp(gateway.version) ? sessionKey : newSession();
  const after = unique("After the restart.");
  await askAgent(operator, next, `SAY:${after}`);
  await handedOver(inbox, next, after);
  if (next !== sessionKey) return [none(inbox, sessionKey), { inbox, sessionKey: next, texts: [after] }];
  return [{ inbox, sessionKey, texts: [text, after] }];
}

// A Gateway that was killed takes the work up again as a new run; the old one never ends on the wire.
async function killed(stage: Stage): Promise<readonly Expectation[]> {
  const { operator, gateway } = stage;
  const inbox = await openInbox(`ws://127.0.0.1:${gateway.port}`, gateway.token, { ttlMs: 30_000 });
  stage.defer(() => inbox.stop());
  const sessionKey = newSession();
  const runId = await askAgent(operator, sessionKey, "SLOW:20 DELAY=100");
  await onTheWire(operator, runId, "delta", 3);
  await gateway.kill("SIGKILL");
  await gateway.start();
  const text = numberedWords(20);
  if (takesUp(gateway.version)) await handedOver(inbox, sessionKey, text);
  await settled(inbox, "expired", runId);
  return [takesUp(gateway.version) ? { inbox, sessionKey, texts: [text] } : none(inbox, sessionKey)];
}

function takesUp(version: string): boolean {
  return isAtLeast(version, TAKES_UP_SINCE);
}

function none(inbox: Expectation["inbox"], sessionKey: string): Expectation {
  return { inbox, sessionKey, texts: [] };
}
