import { askAgent, handedOver, newSession, onTheWire, open, unique } from "../acts.ts";
import { createInboxProcess } from "../inbox-process.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";

/** Our own process dies. */
export const ownRestartScenarios: readonly Scenario[] = [
  { name: "our process killed and restarted with its ledger", place: "crowd", play },
];

async function play(stage: Stage): Promise<readonly Expectation[]> {
  const { operator, gateway } = stage;
  const inbox = await createInboxProcess(`ws://127.0.0.1:${gateway.port}`, gateway.token);
  stage.defer(() => inbox.dispose());
  const [interrupted, missed] = [newSession(), newSession()];
  await inbox.start();
  const opening = await open({ operator, inbox }, missed);
  const runId = await askAgent(operator, interrupted, "SLOW:20 DELAY=100");
  await onTheWire(operator, runId, "delta", 3);
  await inbox.kill();
  const text = unique("Nobody was there.");
  const missedRunId = await askAgent(operator, missed, `SAY:${text}`);
  await Promise.all([onTheWire(operator, runId, "final"), onTheWire(operator, missedRunId, "final")]);
  await inbox.start();
  const slow = numberedWords(20);
  await Promise.all([
    handedOver(inbox, interrupted, slow, { recovered: true }),
    handedOver(inbox, missed, text, { recovered: true }),
  ]);
  return [
    { inbox, sessionKey: interrupted, texts: [slow] },
    { inbox, sessionKey: missed, texts: [opening, text] },
  ];
}
