import { askAgent, handedOver, newSession, onTheWire, open, runCron, unique } from "../acts.ts";
import { startProxy, type TcpProxy } from "../proxy.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";
import { type LocalInbox, openInbox } from "../tested-inbox.ts";

/** The inbox's connection breaks, each with an inbox and a proxy of its own. */
export const cutScenarios: readonly Scenario[] = [
  { name: "cut mid-run, run still going", place: "crowd", play: stillGoing },
  { name: "cut mid-run, run ended meanwhile", place: "crowd", play: endedMeanwhile },
  { name: "cut, run begun and ended meanwhile", place: "quiet", play: begunAndEnded },
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
  proxy.mend();
  const text = numberedWords(20);
  await handedOver(inbox, sessionKey, text, { recovered: true });
  return [{ inbox, sessionKey, texts: [text] }];
}

// One of each kind that is missed: seen by everyone, in a session never heard of, and hidden.
async function begunAndEnded(stage: Stage): Promise<readonly Expectation[]> {
  const { operator } = stage;
  const { inbox, proxy } = await behindProxy(stage);
  // An agent of its own: the Gateway counts the wakes of each.
  const [known, unheard, woken] = [newSession(), newSession(), newSession("second")];
  const openings = [await open({ operator, inbox }, known), await open({ operator, inbox }, woken)] as const;
  const texts = [
    unique("Nobody was listening."),
    unique("Nor to this session."),
    unique("Nor when this one woke."),
  ] as const;
  proxy.cut();
  await askAgent(operator, known, `SAY:${texts[0]}`);
  const payload = { kind: "agentTurn", message: `SAY:${texts[1]}` };
  await runCron(operator, { sessionTarget: `session:${unheard}`, payload, delivery: { mode: "none" } });
  await operator.request("wake", { mode: "now", text: `SAY:${texts[2]}`, sessionKey: woken });
  // The inbox that was never cut tells when all three have been said.
  await Promise.all([
    handedOver(stage.inbox, known, texts[0]),
    handedOver(stage.inbox, unheard, texts[1]),
    handedOver(stage.inbox, woken, texts[2]),
  ]);
  proxy.mend();
  await Promise.all([
    handedOver(inbox, known, texts[0], { recovered: true }),
    handedOver(inbox, unheard, texts[1], { recovered: true }),
    handedOver(inbox, woken, texts[2], { recovered: true }),
  ]);
  return [
    { inbox, sessionKey: known, texts: [openings[0], texts[0]] },
    { inbox, sessionKey: unheard, texts: [texts[1]] },
    { inbox, sessionKey: woken, texts: [openings[1], texts[2]] },
  ];
}

async function behindProxy(stage: Stage): Promise<{ readonly inbox: LocalInbox; readonly proxy: TcpProxy }> {
  const proxy = await startProxy(stage.gateway.port);
  stage.defer(() => proxy.close());
  const inbox = await openInbox(proxy.url, stage.gateway.token);
  stage.defer(() => inbox.stop());
  return { inbox, proxy };
}
