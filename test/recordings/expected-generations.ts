/**
 * What the recordings of older generations of the wire must come to, written from their `.driver.json` as those in
 * `expected.ts` are. Ids that the Gateway made up come from the frames.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Expectation, ExpectedOutcome } from "./expected.ts";
import { says, topic } from "./expected-runs.ts";

const folder = new URL("./generations/", import.meta.url);

/** The names of the recordings of older generations, sorted. They are not part of the package. */
export function generationNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ndjson"))
    .map((file) => file.slice(0, -".ndjson".length))
    .sort();
}

/** The file of one of them. */
export function generationPath(name: string): string {
  return fileURLToPath(new URL(`${name}.ndjson`, folder));
}

const NEW_SESSION = "✅ New session started.";
const REMINDER = "The reminder you asked for.";
const BOUND_RUN = "aa2fb2a6-0000-4000-8000-000000000010";
const BOUND_KEY = `agent:main:cron:aa2fb2a6-0000-4000-8000-000000000009:run:${BOUND_RUN}`;
const currentOpening = says("opening-2026.9.1-cron-current", topic(503), "opening turn");

/** Each in the order of the file names. */
export const generationExpectations: readonly Expectation[] = [
  // Rows name no run; the ids of jobs' runs are those of their sessions.
  ...recorded("2026.7.1", {
    abort: [{ status: "aborted", runId: "run-2026.7.1-abort", sessionKey: topic(507), text: "w1" }],
    agent: [says("run-2026.7.1-agent", topic(500), "Words for another client.")],
    "chat-inject": [
      says("opening-2026.7.1-chat-inject", topic(504), "opening turn"),
      says("inject-221ac547-0000-4000-8000-000000000006", topic(504), "[bridge]\n\nA note with a label."),
      says("inject-221ac547-0000-4000-8000-000000000007", topic(504), "A note without one."),
    ],
    "chat-send": [says("send-2026.7.1-chat-send", topic(501), "Sent by another client.")],
    // It runs in the conversation itself, once.
    "cron-current": [
      says("opening-2026.7.1-cron-current", topic(503), "opening turn"),
      says("9234588a-0000-4000-8000-000000000005", topic(503), "The reminder you asked for."),
    ],
    "cron-isolated": [
      says(
        "df84bdde-0000-4000-8000-000000000004",
        "agent:main:cron:df84bdde-0000-4000-8000-000000000003:run:df84bdde-0000-4000-8000-000000000004",
        "The nightly report.",
      ),
    ],
    // It runs in a session of the job's own.
    "cron-main": [
      says(
        "73f5f10a-0000-4000-8000-000000000004",
        "agent:main:cron:73f5f10a-0000-4000-8000-000000000003:run:1767225600311",
        "Time to stretch, says the reminder.",
      ),
    ],
    "cron-named": [says("fc5a335b-0000-4000-8000-000000000005", topic(502), "Cron into a named session.")],
    // A wake without a session key is a heartbeat of every agent.
    heartbeat: [
      says("4ff97301-0000-4000-8000-000000000005", "agent:second:main", "Heads up, the disk is nearly full."),
      says("4ff97301-0000-4000-8000-000000000007", "agent:main:main", "Heads up, the disk is nearly full."),
    ],
    "no-reply": [silent("f371150b-0000-4000-8000-000000000005", "f371150b-0000-4000-8000-000000000004")],
    "slash-command": [says("command-2026.7.1-slash-command", topic(508), NEW_SESSION)],
    // Nothing stands between the two texts.
    "tool-in-the-middle": [
      says("run-2026.7.1-tool-in-the-middle", topic(505), "Let me look first.Nothing unusual there."),
    ],
    wake: [
      says("opening-2026.7.1-wake", topic(506), "opening turn"),
      says("f4ca19c9-0000-4000-8000-000000000006", topic(506), "Woken up inside the session."),
    ],
  }),
  // Rows name their run; a job's prompt is a plain user row.
  ...recorded("2026.9.1", {
    abort: [{ status: "aborted", runId: "run-2026.9.1-abort", sessionKey: topic(507), text: "w1" }],
    agent: [says("run-2026.9.1-agent", topic(500), "Words for another client.")],
    "chat-inject": [
      says("opening-2026.9.1-chat-inject", topic(504), "opening turn"),
      says("inject-3b7e5e65-0000-4000-8000-000000000009", topic(504), "[bridge]\n\nA note with a label."),
      says("inject-3b7e5e65-0000-4000-8000-000000000010", topic(504), "A note without one."),
    ],
    "chat-send": [says("send-2026.9.1-chat-send", topic(501), "Sent by another client.")],
    "cron-isolated": [
      says(
        "b0af16f1-0000-4000-8000-000000000005",
        "agent:main:cron:b0af16f1-0000-4000-8000-000000000004:run:b0af16f1-0000-4000-8000-000000000005",
        "The nightly report.",
      ),
    ],
    "cron-main": [
      says("298d5c26-0000-4000-8000-000000000007", "agent:main:main", "Time to stretch, says the reminder."),
    ],
    "cron-named": [says("35cc4ce6-0000-4000-8000-000000000005", topic(502), "Cron into a named session.")],
    heartbeat: [says("44ca4187-0000-4000-8000-000000000009", "agent:main:main", "Heads up, the disk is nearly full.")],
    "no-reply": [silent("4fc75a85-0000-4000-8000-000000000005", "4fc75a85-0000-4000-8000-000000000004")],
    "tool-in-the-middle": [
      says("run-2026.9.1-tool-in-the-middle", topic(505), "Let me look first.Nothing unusual there."),
    ],
    wake: [
      says("opening-2026.9.1-wake", topic(506), "opening turn"),
      says("670ee955-0000-4000-8000-000000000011", topic(506), "Woken up inside the session."),
    ],
  }),
  {
    recording: "2026.9.1-cron-current.subscribed",
    because: "B11: the job runs under a cron key, and its text is copied into the conversation",
    outcomes: [currentOpening, says(BOUND_RUN, topic(503), REMINDER)],
    byHand: [currentOpening, says(BOUND_RUN, BOUND_KEY, REMINDER)],
    jobsComeFirst: true,
    withRows: [
      currentOpening,
      { status: "discarded", reason: "relocated", runId: BOUND_RUN, sessionKey: BOUND_KEY },
      says("cron:aa2fb2a6-0000-4000-8000-000000000009:1767225601085", topic(503), REMINDER),
    ],
  },
  // The Gateway answers twice, by a final and by a row without a run: one message.
  ...recorded("2026.9.6", {
    "slash-command": [says("command-2026.9.6-slash-command", topic(508), NEW_SESSION)],
  }),
];

function recorded(version: string, outcomes: Record<string, readonly ExpectedOutcome[]>): readonly Expectation[] {
  return Object.entries(outcomes).map(([scenario, expected]) => ({
    recording: `${version}-${scenario}.subscribed`,
    because: "the driver's SAY, as heard by a connection that subscribes like an inbox",
    outcomes: expected,
  }));
}

function silent(runId: string, jobId: string): ExpectedOutcome {
  const sessionKey = `agent:main:cron:${jobId}:run:${runId}`;
  return { status: "discarded", reason: "empty", runId, sessionKey, text: "" };
}
