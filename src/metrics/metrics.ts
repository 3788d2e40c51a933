import type { InboxStats } from "../report/counters.ts";
import type { LinkState, LinkStatus } from "../source/link.ts";

/** What every metric's name begins with, unless the host wants another. */
export const DEFAULT_PREFIX = "openclaw_inbox_";

/** One value of a metric, with its labels. Never a run id, a session key or a text. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric; its name is without the prefix. */
export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** What metrics are read from. An `Inbox` fits. */
export interface Counted {
  stats(): InboxStats;
  links(): readonly LinkStatus[];
}

type Field = readonly [name: string, help: string, labels?: Readonly<Record<string, string>>];

const SETTLED = "runs_settled_total";
const SETTLED_HELP = "Runs that have settled, by how they ended.";

/** The metric of each counter: a name that ends in `_total` makes a counter, any other a gauge. */
const fields: Record<keyof InboxStats, Field> = {
  frames: ["frames_total", "Frames that came from Gateways."],
  events: ["events_total", "Chat events that were not repeats."],
  rejected: ["rejected_total", "Frames and events that could not be read."],
  duplicates: ["duplicates_total", "Events that were dropped as repeats."],
  dedupEvicted: ["dedup_evicted_total", "Event keys forgotten before their time because of maxDedupKeys."],
  unknownStates: ["unknown_states_total", "Events of a state that this version does not know."],
  afterEnd: ["events_after_end_total", "Events of runs that had settled."],
  afterStop: ["events_after_stop_total", "Events that came after the inbox was stopped."],
  started: ["runs_started_total", "Runs begun."],
  dispatched: [SETTLED, SETTLED_HELP, { outcome: "dispatched" }],
  discarded: [SETTLED, SETTLED_HELP, { outcome: "discarded" }],
  errored: [SETTLED, SETTLED_HELP, { outcome: "errored" }],
  aborted: [SETTLED, SETTLED_HELP, { outcome: "aborted" }],
  expired: [SETTLED, SETTLED_HELP, { outcome: "expired" }],
  late: ["messages_late_total", "Messages whose run had been given up before."],
  alreadyTaken: ["messages_already_taken_total", "Messages that the ledger knew already."],
  overLimit: ["runs_over_limit_total", "Runs ended because of maxRuns, maxTextBytes or maxBufferedBytes."],
  settledEvicted: ["settled_evicted_total", "Settled runs forgotten before their time because of maxSettledRuns."],
  unfinished: ["runs_unfinished_total", "Runs that were still going on when the inbox was stopped."],
  recovered: ["runs_recovered_total", "Runs whose end was found in a Gateway's history."],
  recoveryRequests: ["recovery_requests_total", "Requests to Gateways to subscribe and to catch up."],
  recoveryFailed: ["recovery_failed_total", "Requests to catch up that were given up."],
  sessionsOverLimit: ["sessions_over_limit_total", "Sessions not subscribed to because of maxSessions."],
  delivered: ["messages_delivered_total", "Messages that the handler took."],
  retried: ["delivery_retries_total", "Attempts that failed and were to be repeated."],
  dead: ["messages_dead_total", "Messages whose delivery gave up."],
  hostErrors: ["host_errors_total", "Times that a function of the host's threw."],
  sessions: ["sessions", "Sessions subscribed to."],
  recoveryPending: ["recovery_pending_sessions", "Sessions that wait to be brought up to date."],
  unsafe: ["ledger_unsafe", "1 while the ledger cannot be written: messages are not safe from a crash."],
  liveRuns: ["live_runs", "Runs that are going on."],
  pending: ["pending_messages", "Messages taken on and neither delivered nor dead."],
  attempting: ["attempting_messages", "Messages that the handler has right now."],
  waiting: ["waiting_messages", "Messages that wait for their next attempt."],
  bufferedBytes: ["buffered_bytes", "Memory that the texts of live runs take up."],
};

const linkStates: readonly LinkState[] = ["offline", "connecting", "recovering", "live", "paused"];
const links: Metric = {
  name: "links",
  type: "gauge",
  help: "Links to each Gateway, by their state.",
  labelNames: ["gateway", "state"],
};

const entries = Object.entries(fields) as [keyof InboxStats, Field][];
const names = [...new Set(entries.map(([, [name]]) => name))];

/** All metrics but the histogram. */
export const metrics: readonly Metric[] = [...names.map(metricOf), links];

function metricOf(name: string): Metric {
  const [, [, help, labels = {}]] = entries.find(([, [other]]) => other === name) as [keyof InboxStats, Field];
  return { name, type: name.endsWith("_total") ? "counter" : "gauge", help, labelNames: Object.keys(labels) };
}

/** The values of a metric now. */
export function valuesOf(metric: Metric, inbox: Counted): readonly MetricValue[] {
  if (metric === links) return linkValues(inbox.links());
  const stats = inbox.stats();
  return entries
    .filter(([, [name]]) => name === metric.name)
    .map(([field, [, , labels = {}]]) => ({ labels, value: stats[field] }));
}

function linkValues(statuses: readonly LinkStatus[]): readonly MetricValue[] {
  const gateways = [...new Set(statuses.map(({ gateway }) => gateway))];
  return gateways.flatMap((gateway) =>
    linkStates.map((state) => ({
      labels: { gateway, state },
      value: statuses.filter((link) => link.gateway === gateway && link.state === state).length,
    })),
  );
}

/** The one histogram: how long messages take to be delivered. */
export const deliverySeconds = {
  name: "delivery_seconds",
  help: "From the end of a run to the handler's success.",
  /** Upper bounds, in seconds. */
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800],
} as const;
