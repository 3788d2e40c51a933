import { askAgent, handedOver, newSession, onTheWire, open, settled, unique } from "../acts.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";

/** What other clients of the Gateway make the agent say. */
export const clientScenarios: readonly Scenario[] = [
  { name: "agent from another client", place: "crowd", play: agent },
  { name: "chat.inject", place: "crowd", play: inject },
  { name: "tool call in the middle", place: "crowd", play: tool },
  { name: "sub-agent report", place: "crowd", play: subagent },
  { name: "model failure", place: "crowd", play: failure },
  { name: "abort", place: "crowd", play: abort },
];

async function agent(stage: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  return [{ inbox: stage.inbox, sessionKey, texts: [await open(stage, sessionKey)] }];
}

async function inject(stage: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const [labelled, plain] = [unique("A note with a label."), unique("A note without one.")];
  await stage.operator.request("chat.inject", { sessionKey, message: labelled, label: "bridge" });
  await stage.operator.request("chat.inject", { sessionKey, message: plain });
  await handedOver(stage.inbox, sessionKey, plain, { origin: "injected" });
  return [{ inbox: stage.inbox, sessionKey, texts: [opening, `[bridge]\n\n${labelled}`, plain] }];
}

async function tool({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const [before, after] = [unique("Let me look first."), unique("Nothing unusual there.")];
  await askAgent(operator, sessionKey, `TOOL:${before}||ls||{"path":"."}||${after}`);
  await handedOver(inbox, sessionKey, before);
  return [{ inbox, sessionKey, texts: [`${before}\n\n${after}`] }];
}

// The helper's own run is internal; what its parent announces of it is the message.
async function subagent({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const [before, after, report] = [
    unique("Sending a helper."),
    unique("It is on its way."),
    unique("Report from the helper."),
  ];
  const spawn = JSON.stringify({ id: "sessions_spawn", args: { task: `SAY:${report}`, label: "helper" } });
  await askAgent(operator, sessionKey, `TOOL:${before}||tool_call||${spawn}||${after}`);
  await handedOver(inbox, sessionKey, report, { origin: "announcement" });
  return [{ inbox, sessionKey, texts: [`${before}\n\n${after}`, report] }];
}

// A rejected key fails at once; the Gateway would repeat a server error for more than a minute.
async function failure({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  await operator.request("sessions.patch", { key: sessionKey, model: "failing/stub-1" });
  await settled(inbox, "errored", await askAgent(operator, sessionKey, "FAIL401"));
  return [{ inbox, sessionKey, texts: [] }];
}

async function abort({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const runId = await askAgent(operator, sessionKey, "SLOW:60 DELAY=200");
  await onTheWire(operator, runId, "delta");
  await operator.request("chat.abort", { sessionKey, runId });
  await settled(inbox, "aborted", runId);
  return [{ inbox, sessionKey, texts: [] }];
}
