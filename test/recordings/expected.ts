/**
 * What each recording must come to, written from its `.driver.json` (what was asked of the Gateway:
 * `SAY:x` makes the model say x), the table of session keys and run ids in the facts about the wire,
 * and the rules of a run. None of it is copied from what this package puts out.
 *
 * It is meant with the default options: every session is ours, nothing is solicited, sub-agents are
 * left out. Outcomes stand in the order in which the runs end on the wire.
 */
import type { DiscardReason } from "../../src/types.ts";
import { generationExpectations } from "./expected-generations.ts";
import {
  abortedCall,
  abortedCron,
  agentCall,
  beforeLeaving,
  beforeWake,
  currentCron,
  currentCronAlone,
  currentCronCopy,
  cutCall,
  failedCall,
  failedSend,
  heartbeat,
  injected,
  isolatedCron,
  mixedCase,
  namedSessionCron,
  noReply,
  numberedWords,
  overheard,
  ownSend,
  reminder,
  repeatedCron,
  says,
  silentHeartbeats,
  subagent,
  tenAtOnce,
  toolCall,
  topic,
  woken,
} from "./expected-runs.ts";

/** One settled run, told in the fields that a recording makes certain. */
export type ExpectedOutcome =
  | { readonly status: "dispatched"; readonly runId: string; readonly sessionKey: string; readonly text: string }
  | (UnsentRun & { readonly status: "discarded"; readonly reason: "empty"; readonly text: "" })
  /** Known for what it is from its first event, so nothing says how much of it is heard until it is discarded. */
  | (UnsentRun & { readonly status: "discarded"; readonly reason: Exclude<DiscardReason, "empty"> })
  | (PartialRun & { readonly status: "errored"; readonly error: string; readonly errorKind?: string })
  | (PartialRun & { readonly status: "aborted" | "expired" });

interface UnsentRun {
  readonly runId: string;
  readonly sessionKey: string;
}

interface PartialRun extends UnsentRun {
  /** What had been said until then. */
  readonly text: string;
}

/** What a recording, played once from end to end, must come to. */
export interface Expectation {
  /** The file's name without `.ndjson`. */
  readonly recording: string;
  /** Where the expectation comes from. */
  readonly because: string;
  /** From the chat events alone; `expired` once the TTL has passed after the last frame. */
  readonly outcomes: readonly ExpectedOutcome[];
  /** How many chat events come to runs that have settled: the second ends of B12. `"open"` where no rule tells. Default 0. */
  readonly afterEnd?: number | "open";
  /** From the chat events and the `session.message` rows; the same as `outcomes` where not given. */
  readonly withRows?: readonly ExpectedOutcome[];
  /** The same, when the chat payloads alone are fed by hand. Default: `outcomes`. */
  readonly byHand?: readonly ExpectedOutcome[];
  /** A `cron` event must come before the run that it tells of, so runs cannot be shuffled against it. */
  readonly jobsComeFirst?: true;
  /** The same, when the Gateway's history can be asked after the last frame; as `withRows` where not given. */
  readonly withHistory?: readonly ExpectedOutcome[];
}

/**
 * Counters that no recording may raise, once the TTL has passed: no event in them is repeated or
 * unreadable, none has a state that we do not know, and no final comes after its run was given up.
 */
export const neverCounted = {
  duplicates: 0,
  rejected: 0,
  unknownStates: 0,
  late: 0,
  overLimit: 0,
  hostErrors: 0,
  retried: 0,
  dead: 0,
  liveRuns: 0,
  pending: 0,
  bufferedBytes: 0,
} as const;

/** Every recording with what it must come to, in the order of the file names. */
export const expectations: readonly Expectation[] = [
  { recording: "a-cron-main", because: "a main-session run is not broadcast to a plain listener", outcomes: [] },
  {
    recording: "a-cron-main.roster",
    because: "the roster gets rows but no chat of hidden runs; the row is the history row of the driver file",
    outcomes: [],
    withRows: [reminder],
  },
  {
    recording: "a-cron-main.subscribed",
    because:
      "the system event's SAY, session and run id as in the driver's history row; row 9 and final 13 are one run",
    outcomes: [reminder],
  },
  ...both("b-cron-isolated", "the job's SAY, under the key that the driver's cron.runs names", isolatedCron),
  ...both("b4-cron-repeats", "every firing is a run and a key of its own: equal texts are two messages", repeatedCron),
  ...both(
    "c1-cron-custom-session",
    "the job's SAY in its named session; the prompt row is no message",
    namedSessionCron,
  ),
  ...both("c3-agent-rpc", "the call's SAY; the run id is the caller's idempotencyKey", agentCall),
  ...both("c4-chat-send-by-other", "the call's SAY; status events say nothing", overheard),
  {
    recording: "c6-wake-custom-session",
    because: "the opening turn is broadcast, the wake is hidden from a plain listener",
    outcomes: [beforeWake],
  },
  {
    recording: "c6-wake-custom-session.subscribed",
    because: "the wake's SAY; run id as in the driver's history row",
    outcomes: [beforeWake, woken],
  },
  {
    recording: "c8-cron-current-session",
    because: "B11: the job is bound to the conversation, as the driver's cron.add says; no row of it is heard",
    outcomes: currentCron,
    byHand: currentCronAlone,
    jobsComeFirst: true,
  },
  {
    recording: "c8-cron-current-session.subscribed",
    because: "B11: the row in the conversation, with the openclawAutomation run id of the driver's history row",
    outcomes: currentCron,
    byHand: currentCronAlone,
    jobsComeFirst: true,
    withRows: currentCronCopy,
  },
  ...both("c9-mixed-case-key", "the call's SAY; keys come back in lower case", mixedCase),
  { recording: "d1-heartbeat-speaks", because: "a heartbeat is hidden from a plain listener", outcomes: [] },
  {
    recording: "d1-heartbeat-speaks.subscribed",
    because: "the scratch file's SAY; run id as in the driver's history row",
    outcomes: heartbeat,
  },
  { recording: "d2-heartbeat-silent", because: "a heartbeat is hidden from a plain listener", outcomes: [] },
  {
    recording: "d2-heartbeat-silent.subscribed",
    because: "HBOK and SILENT end in finals without a message, and leave no history row",
    outcomes: silentHeartbeats,
  },
  ...both("e-chat-inject", "inject-<messageId> of the driver's answers; a label goes before the text", injected),
  {
    recording: "f-long-reply",
    because: "LONG:2500, without the line break at its end: 14,016 characters",
    outcomes: [says("run-8087ddc7", topic(230), numberedWords(2500))],
  },
  ...both("g1-error-500", "FAIL500: an error and nothing said; the warning row is no message", failedCall),
  ...both("g4-cut-mid-stream", "CUT: the sentence begins eight times and is said once until the error", cutCall),
  ...both("g6-error-chat-send", "FAIL500 asked by chat.send ends twice; the first error decides (B12)", failedSend, 1),
  ...both("h1-abort-agent-run", "chat.abort after eight words; the partial row is no message", abortedCall),
  ...both("h3-abort-cron-run", "sessions.abort after fifteen words", abortedCron),
  ...both(
    "i-no-reply",
    "SILENT thrice: an error by agent, an empty final by cron, aborted (then error) by chat.send",
    noReply,
    1,
  ),
  ...both("j1-tool-in-the-middle", "both parts of TOOL as one message, joined by a blank line", toolCall),
  ...both(
    "j6-subagent",
    "the parent's words and the announcement are messages, the helper's run is not (B10)",
    subagent,
    "open",
  ),
  { recording: "k2-ten-at-once", because: "ten calls, ten SAYs, ten sessions", outcomes: tenAtOnce },
  {
    recording: "l-own-chat-send",
    because:
      "nothing is solicited here, so the listener's own question and /status count too; texts as in the history rows",
    outcomes: ownSend,
  },
  {
    recording: "m1-reconnect-while-running",
    because: "SLOW:60, joined midway on a second connection",
    outcomes: [says("run-28242335", topic(400), numberedWords(60))],
  },
  {
    recording: "m2-finished-while-away",
    because:
      "two words were heard before the cut and the run's end never came; history has it, and a cron run born meanwhile",
    outcomes: [
      beforeLeaving,
      { status: "expired", runId: "run-edce0480", sessionKey: topic(401), text: "This finished" },
    ],
    withHistory: [
      beforeLeaving,
      says("run-edce0480", topic(401), "This finished while the listener was away."),
      says("6cdffcd4-d8b5-43ca-9584-8fa5833b00c7", topic(402), "Nobody was listening to this one."),
    ],
  },
  {
    recording: "n1-sigterm-mid-run",
    because: "SLOW:40: SIGTERM waits for the run",
    outcomes: [says("run-7389e01b", topic(410), numberedWords(40))],
  },
  ...generationExpectations,
];

/** How much of a Gateway is listened to: chat events, their sessions' rows too, its history too. */
export type Layer = "live" | "rows" | "history";

/** What `expectation` comes to when so much is listened to. */
export function expectedAt(layer: Layer, expectation: Expectation): readonly ExpectedOutcome[] {
  const { outcomes, withRows = outcomes, withHistory = withRows } = expectation;
  return { live: outcomes, rows: withRows, history: withHistory }[layer];
}

/** A plain listener and one that subscribed to the session hear the same runs. */
function both(
  recording: string,
  because: string,
  outcomes: readonly ExpectedOutcome[],
  afterEnd: number | "open" = 0,
): readonly Expectation[] {
  return [recording, `${recording}.subscribed`].map((name) => ({ recording: name, because, outcomes, afterEnd }));
}
