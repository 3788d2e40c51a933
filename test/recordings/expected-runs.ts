/**
 * The runs of the recordings. Texts come from the prompts in the driver files, ids and keys from the
 * answers there or, where the Gateway made them up, from the frames.
 */
import type { ExpectedOutcome } from "./expected.ts";

/** What the recorded model says to `LONG:count` and `SLOW:count`: a line break after each 20th word, no white space at the end. */
export function numberedWords(count: number): string {
  const lines: string[] = [];
  for (let first = 1; first <= count; first += 20) {
    const length = Math.min(20, count - first + 1);
    lines.push(Array.from({ length }, (_, index) => `w${first + index}`).join(" "));
  }
  return lines.join("\n ");
}

/** The session key that the recordings were made with, by topic. */
export const topic = (id: number): string => `agent:main:collavre:42:creative:100:topic:${id}`;

/** A run whose message is handed over. */
export function says(runId: string, sessionKey: string, text: string): ExpectedOutcome {
  return { status: "dispatched", runId, sessionKey, text };
}

const modelFailed =
  "⚠️ stub/stub-1 request failed (provider internal error, HTTP 500). This is usually temporary — try again shortly.";
const noAnswer = "⚠️ Agent couldn't generate a response. Please try again.";

/** `a`: a main-session cron reminder. */
export const reminder = says(
  "8d509ad4-d9f0-49d0-aa6a-03b770bd5f6c",
  "agent:main:main",
  "Time to stretch, says the main-session reminder.",
);

/** `b`: an isolated cron job. */
export const isolatedCron = [
  says(
    "bcf34c9f-1d0a-4ec9-b488-4b912d613a34",
    "agent:main:cron:2c40280c-1a1c-4861-90d3-16b590af04e8:run:36519bec-17a1-43cc-81b5-0c43349ce181",
    "Isolated cron says the nightly report is ready.",
  ),
];

/** `b4`: an isolated cron job that fired twice. */
export const repeatedCron = [
  says(
    "56ce207c-b93b-4b47-b5f7-ee28309b99b2",
    "agent:main:cron:48af9481-c2fa-49a2-99f3-d2943588a494:run:160a50c6-78cc-4252-8c64-c898f634d34f",
    "The same job, once more.",
  ),
  says(
    "78e51e85-662f-4f26-a39b-7f2d25ec873e",
    "agent:main:cron:48af9481-c2fa-49a2-99f3-d2943588a494:run:b5794f8a-ee92-404f-983e-bf3b3d57e295",
    "The same job, once more.",
  ),
];

/** `c1`: a cron job in a named session. */
export const namedSessionCron = [
  says("15a1b1df-54fa-47bc-a41b-5ad4e8a15938", topic(201), "Cron into a named session, spelled out as an agent key."),
];
/** `c3`: the `agent` method. */
export const agentCall = [says("run-e5c1a4f4", topic(200), "Started by the agent method in a custom session.")];
/** `c4`: `chat.send` by another client. */
export const overheard = [says("send-3d014228", topic(204), "Someone else asked, the listener only overhears.")];

/** `c6`: the turn that opened the session. */
export const beforeWake = says("run-09b5715f", topic(206), "opening turn");
/** `c6`: the turn that `wake` brought about. */
export const woken = says("93c6b93c-0bda-4808-bd25-2e8c9c9d76a1", topic(206), "Woken up inside the custom session.");

const openingTurn = says("run-9f7b1e94", topic(208), "opening turn");
const remindedOf = "The reminder you asked for in this conversation.";
const boundRun = "441b9cb6-c4c5-4d72-8b78-f72344f02b8d";
/** `c8`: the turn that opened the session, and the job, which is bound to it. */
export const currentCron = [openingTurn, says(boundRun, topic(208), remindedOf)];
const boundKey = "agent:main:cron:2ddcb897-83d1-4b4c-8f63-6e9e5f296652:run:655af53d-7383-488e-b213-42c2d5139bbb";
/** `c8`: the same where no event but `chat` is heard, which does not say that the job is bound. */
export const currentCronAlone = [openingTurn, says(boundRun, boundKey, remindedOf)];
/** `c8`: the same where the job's copy in the conversation is heard. */
export const currentCronCopy: readonly ExpectedOutcome[] = [
  openingTurn,
  {
    status: "discarded",
    reason: "relocated",
    runId: boundRun,
    sessionKey: boundKey,
  },
  says("cron:2ddcb897-83d1-4b4c-8f63-6e9e5f296652:1795337816529", topic(208), remindedOf),
];

/** `c9`: a session key asked for in capitals. */
export const mixedCase = [says("run-c4a8efd2", topic(209), "Asked for with capital letters in the key.")];

/** `d1`: a heartbeat that speaks. */
export const heartbeat = [
  says(
    "18fc2838-c551-489e-9dd6-ab248455cb15",
    "agent:main:main",
    "Heads up from the heartbeat, the disk is nearly full.",
  ),
];
/** `d2`: two heartbeats with nothing to say. */
export const silentHeartbeats: readonly ExpectedOutcome[] = [
  "06c0778e-b4f7-495d-8ebf-0007d9f22f91",
  "27e5690f-59b1-408c-b82a-53a1d16745ad",
].map((runId) => ({ status: "discarded", reason: "empty", runId, sessionKey: "agent:main:main", text: "" }));

/** `e`: a turn, then two injected notes. */
export const injected = [
  says("run-768c4c0a", topic(220), "opening turn"),
  says("inject-238d198f-1bd2-4f48-b891-6669a80be620", topic(220), "[bridge]\n\nInjected note, no run behind it."),
  says("inject-c921683f-e414-4b45-811d-cb0298a09005", topic(220), "Injected note without a label."),
];

/** `g1`: the model answers 500 until the Gateway gives up. */
export const failedCall: readonly ExpectedOutcome[] = [
  { status: "errored", error: modelFailed, runId: "run-12e4b14e", sessionKey: topic(240), text: "" },
];
/** `g4`: the model breaks off in the middle each time. */
export const cutCall: readonly ExpectedOutcome[] = [
  {
    status: "errored",
    error: "LLM request timed out.",
    errorKind: "timeout",
    runId: "run-48242bc4",
    sessionKey: topic(243),
    text: "This sentence will be cut before it",
  },
];
/** `g6`: as `g1`, by `chat.send`. */
export const failedSend: readonly ExpectedOutcome[] = [
  { status: "errored", error: modelFailed, runId: "send-d3f7ea76", sessionKey: topic(245), text: "" },
];

/** `h1`: aborted after eight words. */
export const abortedCall: readonly ExpectedOutcome[] = [
  { status: "aborted", runId: "run-1373c04f", sessionKey: topic(250), text: numberedWords(8) },
];
/** `h3`: aborted after fifteen words. */
export const abortedCron: readonly ExpectedOutcome[] = [
  {
    status: "aborted",
    runId: "1755717f-6e55-4ce8-ba75-87a8d5f2ba12",
    sessionKey: topic(252),
    text: numberedWords(15),
  },
];

/** `i`: the model answers `NO_REPLY` to three kinds of callers. */
export const noReply: readonly ExpectedOutcome[] = [
  { status: "errored", error: noAnswer, runId: "run-fc1f2842", sessionKey: topic(260), text: "" },
  {
    status: "discarded",
    reason: "empty",
    runId: "d6320119-890e-48c7-9378-b1c0f8f4a245",
    sessionKey: "agent:main:cron:29d3bd36-6258-4fcb-a039-d145fe9dfeb7:run:3393bcda-6a48-4d56-ab6c-d89d876c6a13",
    text: "",
  },
  { status: "aborted", runId: "send-0b0299bf", sessionKey: topic(260), text: "" },
];

/** `j1`: words, a tool call, words. */
export const toolCall = [
  says("run-ca712ed9", topic(270), "Let me look at the workspace first.\n\nLooked around, nothing unusual there."),
];

const subagentKey = "agent:main:subagent:9c1467e8-4cb8-40ce-b48c-8b236dd98ebf";
const subagentRun = "3ccdebe5-3a47-41a8-bd3f-9628619e154f";
const report = "Report from the helper session.";
/** `j6`: a helper is sent, works, and is reported on. */
export const subagent: readonly ExpectedOutcome[] = [
  says("run-0c5916a8", topic(275), "Sending a helper.\n\nThe helper is on its way."),
  { status: "discarded", reason: "subagent", runId: subagentRun, sessionKey: subagentKey },
  says(`announce:v1:${subagentKey}:${subagentRun}`, topic(275), report),
];

/** The ten run ids by the number each was told to say, and the order in which they ended. */
const tenRuns = [
  "run-e14c06e9",
  "run-957530c2",
  "run-3e891ca4",
  "run-c3be8433",
  "run-61717af9",
  "run-de5de095",
  "run-9671d836",
  "run-bfa5433e",
  "run-0a7bcea0",
  "run-2407507d",
] as const;
/** `k2`: ten calls at once, in the order in which they ended. */
export const tenAtOnce = ([0, 1, 2, 4, 6, 5, 3, 7, 8, 9] as const).map((n) =>
  says(tenRuns[n], topic(300 + n), `Run ${n} of ten says something that belongs to session ${300 + n} only.`),
);

const statusCard = [
  "🦞 OpenClaw 2026.9.6 (eb377ac)",
  "Current time: Sunday, November 22nd, 2026 - 9:09 AM (UTC)",
  "Reference UTC: 2026-11-22 09:09 UTC",
  "⏱️ Uptime: gateway 11m 5s · system 1h 32m",
  "",
  "🧠 Model: stub/stub-1",
  "🔑 Auth: api-key (models.json)",
  "",
  "🧮 Tokens: 10 in / 5 out",
  "💵 Cost: $0.0000",
  "🗄️ Cache: 0% hit · 0 cached, 0 new",
  "📚 Context: 10/200k (0%)",
  "",
  "🧵 Session: agent:main:collavre:42:creative:100:topic:290 • duration 4s • updated just now",
  "📌 Tasks: recently finished · cli · SAY:Unasked for, in the same session. · completed",
  "",
  "⚙️ Execution: direct",
  "🤖 Runtime: OpenClaw Default",
  "🎛️ Modes: think off · fast off",
  "🪢 Queue: steer",
].join("\n");

/** `l`: the listener's own question, a call by another, and a slash command. */
export const ownSend = [
  says("send-d2343ab1", topic(290), "Answer to the listener's own question."),
  says("run-43d03012", topic(290), "Unasked for, in the same session."),
  says("send-147db003", topic(290), statusCard),
];

/** `m2`: the turn that ended before the listener went away. */
export const beforeLeaving = says("run-b356c628", topic(401), "opening turn");
