/** Something that is counted. */
export interface Counter {
  /** The metric's name, without the prefix. One that ends in `_total` only grows; any other is a gauge: how many there are now. */
  readonly metric: string;
  readonly help: string;
  /** Counters of one metric differ by these. */
  readonly labels?: Readonly<Record<string, string>>;
}

const settled = (outcome: string) => ({
  metric: "runs_settled_total",
  help: "Runs that have settled, by how they ended.",
  labels: { outcome },
});

/** Everything that is counted. The type of `inbox.stats()`, the zeros it begins with, and the metrics follow from this table. */
export const counters = {
  frames: { metric: "frames_total", help: "Frames that came from sources." },
  events: {
    metric: "events_total",
    help: "Chat events that were taken to their run, from frames, `handle()` and recovery; duplicates are not among them.",
  },
  rejected: { metric: "rejected_total", help: "Frames and events that could not be read: the sum over `rejections$`." },
  duplicates: {
    metric: "duplicates_total",
    help: "Events dropped because the same `(runId, state, seq)` came within the dedup window.",
  },
  dedupEvicted: {
    metric: "dedup_evicted_total",
    help: "Event keys forgotten before their time because of `maxDedupKeys`.",
  },
  unknownStates: { metric: "unknown_states_total", help: "Events with a `state` that this version does not know." },
  afterEnd: { metric: "events_after_end_total", help: "Events of runs that had settled already." },
  afterStop: { metric: "events_after_stop_total", help: "Events that came after `stop()`." },
  started: { metric: "runs_started_total", help: "Runs begun: actors spawned." },
  dispatched: settled("dispatched"),
  discarded: settled("discarded"),
  errored: settled("errored"),
  aborted: settled("aborted"),
  expired: settled("expired"),
  late: {
    metric: "messages_late_total",
    help: "Dispatched messages whose run had been given up before; part of `dispatched`.",
  },
  alreadyTaken: {
    metric: "messages_already_taken_total",
    help: "Messages the ledger knew already: from before a restart, or taken on by another process.",
  },
  overLimit: {
    metric: "runs_over_limit_total",
    help: "Runs ended as `errored` because of `maxRuns`, `maxTextBytes` or `maxBufferedBytes`; part of `errored`.",
  },
  settledEvicted: {
    metric: "settled_evicted_total",
    help: "Settled runs forgotten before their time because of `maxSettledRuns`.",
  },
  unfinished: { metric: "runs_unfinished_total", help: "Runs that were still in `buffering` at `stop()`." },
  recovered: {
    metric: "runs_recovered_total",
    help: "Runs whose end was missed and found in a Gateway's history; those known already are not among them.",
  },
  recoveryRequests: {
    metric: "recovery_requests_total",
    help: "Requests sent to Gateways to subscribe and to catch up, repeats included.",
  },
  recoveryFailed: {
    metric: "recovery_failed_total",
    help: "Requests that were given up after being repeated, and ended runs that could not be looked up.",
  },
  requestsOverLimit: {
    metric: "requests_over_limit_total",
    help: "Requests to Gateways that were not sent: 1,000, or 16 MiB of them, waited for an answer already.",
  },
  historiesCut: {
    metric: "histories_cut_total",
    help: "Sessions in which more was missed than may be read: what is older than `maxHistoryRows` or 16 MiB is missing.",
  },
  sessionsOverLimit: {
    metric: "sessions_over_limit_total",
    help: "Times that a session of ours was not subscribed to because of `maxSessions`.",
  },
  delivered: { metric: "messages_delivered_total", help: "Messages that the handler took." },
  retried: { metric: "delivery_retries_total", help: "Attempts that failed and were, or will be, repeated." },
  dead: { metric: "messages_dead_total", help: "Messages whose delivery gave up." },
  overPending: {
    metric: "messages_over_pending_total",
    help: "Messages given up at once because of `maxPending` or `maxPendingBytes`; part of `dead`.",
  },
  leaseLost: {
    metric: "messages_lease_lost_total",
    help: "Messages that went over to another inbox while their handler was at work here; that one delivers them.",
  },
  eventsUntold: {
    metric: "events_untold_total",
    help: "Events beside messages (the webhook's `events`) that could not be told.",
  },
  hostErrors: { metric: "host_errors_total", help: "Times that a function of the host's (`session`, `accept`) threw." },
  sessions: { metric: "sessions", help: "Sessions subscribed to." },
  recoveryPending: { metric: "recovery_pending_sessions", help: "Sessions that wait to be brought up to date." },
  unsafe: {
    metric: "ledger_unsafe",
    help: "1 while the ledger file cannot be written, so that messages are not safe from a crash; else 0.",
  },
  liveRuns: { metric: "live_runs", help: "Runs in `buffering`." },
  pending: { metric: "pending_messages", help: "Messages taken on and neither delivered nor dead." },
  pendingBytes: {
    metric: "pending_bytes",
    help: "Text of pending messages, in bytes of memory at two bytes a character.",
  },
  attempting: { metric: "attempting_messages", help: "Messages that the handler has right now; part of `pending`." },
  waiting: {
    metric: "waiting_messages",
    help: "Messages that wait for their next attempt; part of `pending`. The rest wait for their turn.",
  },
  bufferedBytes: {
    metric: "buffered_bytes",
    help: "Characters buffered for live runs, in bytes of memory at two bytes a character.",
  },
} as const satisfies Readonly<Record<string, Counter>>;

/** Everything the inbox counts, since it was created; gauges say how many there are now. `counters` tells what each means. */
export type InboxStats = { readonly [Name in keyof typeof counters]: number };

/** The same while it is being counted: only a report does that. */
export type Counts = { -readonly [Name in keyof InboxStats]: number };

/** All at 0. */
export function zeroCounts(): Counts {
  return Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as Counts;
}
