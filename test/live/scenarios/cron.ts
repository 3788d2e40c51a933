import { handedOver, MAIN_SESSION, newSession, open, runCron, unique } from "../acts.ts";
import type { Expectation, Scenario, Stage } from "../scenario.ts";
import { numberedWords } from "../stub-script.ts";

/** Reminders and scheduled jobs. */
export const cronScenarios: readonly Scenario[] = [
  { name: "main-session cron", place: "quiet", play: mainSession },
  { name: "20,000 characters in a hidden run", place: "quiet", play: longHidden },
  { name: "isolated cron", place: "crowd", play: isolated },
  { name: "named-session cron", place: "crowd", play: named },
  { name: "current-bound cron", place: "crowd", play: current },
];

async function mainSession(stage: Stage): Promise<readonly Expectation[]> {
  const text = unique("Time to stretch.");
  await runCron(stage.operator, { sessionTarget: "main", payload: { kind: "systemEvent", text: `SAY:${text}` } });
  await handedOver(stage.inbox, MAIN_SESSION, text);
  return [{ inbox: stage.inbox, sessionKey: MAIN_SESSION, texts: [text] }];
}

async function longHidden(stage: Stage): Promise<readonly Expectation[]> {
  const words = 3_500;
  const text = numberedWords(words);
  await runCron(stage.operator, {
    sessionTarget: "main",
    payload: { kind: "systemEvent", text: `LONG:${words} DELAY=5` },
  });
  await handedOver(stage.inbox, MAIN_SESSION, text);
  return [{ inbox: stage.inbox, sessionKey: MAIN_SESSION, texts: [text] }];
}

// The job is kept: when it is removed after its run, the Gateway's transcript of it goes, too.
async function isolated({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const text = unique("The nightly report is ready.");
  const { payload } = await runCron(operator, {
    deleteAfterRun: false,
    sessionTarget: "isolated",
    payload: { kind: "agentTurn", message: `SAY:${text}` },
    delivery: { mode: "none" },
  });
  const sessionKey = String(payload.sessionKey);
  await handedOver(inbox, sessionKey, text, { origin: "cron" });
  return [{ inbox, sessionKey, texts: [text], transcriptKey: `agent:main:cron:${payload.jobId}` }];
}

async function named({ operator, inbox }: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const text = unique("Cron into a named session.");
  const payload = { kind: "agentTurn", message: `SAY:${text}` };
  await runCron(operator, { sessionTarget: `session:${sessionKey}`, payload, delivery: { mode: "none" } });
  await handedOver(inbox, sessionKey, text);
  return [{ inbox, sessionKey, texts: [text] }];
}

// What "remind me tomorrow" makes. It runs under a key of its own; only its copy is in the conversation.
async function current(stage: Stage): Promise<readonly Expectation[]> {
  const sessionKey = newSession();
  const opening = await open(stage, sessionKey);
  const text = unique("The reminder you asked for.");
  await runCron(stage.operator, {
    sessionTarget: "current",
    sessionKey,
    payload: { kind: "agentTurn", message: `SAY:${text}` },
  });
  await handedOver(stage.inbox, sessionKey, text, { origin: "cron" });
  return [{ inbox: stage.inbox, sessionKey, texts: [opening, text] }];
}
