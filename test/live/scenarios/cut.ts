import { askAgent, handedOver, newSession, onTheWire } from "../acts.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";
import { behindProxy, checkRecovered } from "../way.ts";

/** The inbox's connection breaks, each with an inbox and a proxy of its own. */
export const cutScenarios: readonly Scenario[] = [
  { name: "cut mid-run, run still going", place: "crowd", play: stillGoing },
  { name: "cut mid-run, run ended meanwhile", place: "crowd", play: endedMeanwhile },
];

// Long enough to outlast the client's first reconnect, a second after the cut.
const LONG_RUN_WORDS = 60;

async function stillGoing(stage: Stage): Promise<readonly Expectation[]> {
  const { inbox, proxy } = await behindProxy(stage);
  const sessionKey = newSession();
  const runId = await askAgent(stage.operator, sessionKey, `SLOW:${LONG_RUN_WORDS} DELAY=100`);
  await onTheWire(stage.operator, runId, "delta", 3);
  proxy.cut();
  await onTheWire(stage.operator, runId, "delta", 6);
  proxy.mend();
  const text = numberedWords(LONG_RUN_WORDS);
  await handedOver(inbox, sessionKey, text);
  return [{ inbox, sessionKey, texts: [text] }];
}

async function endedMeanwhile(stage: Stage): Promise<readonly Expectation[]> {
  const { inbox, proxy } = await behindProxy(stage);
  const sessionKey = newSession();
  const runId = await askAgent(stage.operator, sessionKey, "SLOW:20 DELAY=100");
  await onTheWire(stage.operator, runId, "delta", 3);
  proxy.cut();
  await onTheWire(stage.operator, runId, "final");
  const before = inbox.journal().length;
  proxy.mend();
  const texts = [numberedWords(20)] as const;
  await handedOver(inbox, sessionKey, texts[0]);
  checkRecovered(inbox, { sessionKey, texts }, before);
  return [{ inbox, sessionKey, texts }];
}
