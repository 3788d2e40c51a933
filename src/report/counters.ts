/** One counter or gauge. */
export interface Counter {
  /**
   * The metric's name, without the prefix. A name that ends in `_total` is a counter, which only grows. Any other is a
   * gauge: how many there are at present.
   */
  readonly metric: string;
  readonly help: string;
  /** Tells apart the counters that share one metric. */
  readonly labels?: Readonly<Record<string, string>>;
}

const settled = (outcome: string) => ({
  metric: "runs_settled_total",
  help: "Runs that have settled, by outcome.",
  labels: { outcome },
});

/** Everything that is counted. The type of `inbox.stats()`, its zeros, and the metrics are derived from this table. */
export const counters = {
  frames: { metric: "frames_total", help: "Frames that came from sources." },
  events: {
    metric: "events_total",
    help: "Chat events from frames, `handle()` and recovery. Duplicates are not counted.",
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
    help: "Dispatched messages whose run had been given up before; counted in `dispatched`, too.",
  },
  alreadyTaken: {
    metric: "messages_already_taken_total",
    help: "Messages that the ledger knew already: from before a restart, or from another process.",
  },
  overLimit: {
    metric: "runs_over_limit_total",
    help: "Runs that `errored` because of `maxRuns`, `maxTextBytes` or `maxBufferedBytes`; counted in `errored`, too.",
  },
  settledEvicted: {
    metric: "settled_evicted_total",
    help: "Settled runs forgotten before their time because of `maxSettledRuns`.",
  },
  unfinished: { metric: "runs_unfinished_total", help: "Runs that were still in `buffering` at `stop()`." },
  recovered: {
    metric: "runs_recovered_total",
    help: "Runs whose end was missed and then found in a Gateway's history. Ends known already are not counted.",
  },
  recoveryRequests: {
    metric: "recovery_requests_total",
    help: "Requests sent to Gateways to subscribe and to catch up, including repeats.",
  },
  recoveryFailed: {
    metric: "recovery_failed_total",
    help: "Requests that were given up after several tries, and ended runs that could not be looked up.",
  },
  requestsOverLimit: {
    metric: "requests_over_limit_total",
    help: "Requests to Gateways that were not sent because 1,000 of them, or 16 MiB, already waited for an answer.",
  },
  historiesCut: {
    metric: "histories_cut_total",
    help: "Sessions in which more was missed than may be read. Rows older than `maxHistoryRows` or 16 MiB are missing.",
  },
  sessionsOverLimit: {
    metric: "sessions_over_limit_total",
    help: "Times that a session of ours was not subscribed to because of `maxSessions`.",
  },
  jobAlarms: {
    metric: "job_alarms_total",
    help: "Times that a cron job was due and said nothing within `jobGraceMs`. It is counted again only after it was heard.",
  },
  jobsOverLimit: {
    metric: "jobs_over_limit_total",
    help: "Times that a cron job was not followed, because 10,000 others of its Gateway are.",
  },
  delivered: { metric: "messages_delivered_total", help: "Messages that the handler took." },
  retried: { metric: "delivery_retries_total", help: "Attempts that failed and are followed by another." },
  dead: { metric: "messages_dead_total", help: "Messages whose delivery gave up." },
  overPending: {
    metric: "messages_over_pending_total",
    help: "Messages given up at once because of `maxPending` or `maxPendingBytes`; counted in `dead`, too.",
  },
  damaged: {
    metric: "ledger_damaged_messages_total",
    help: "Messages in the ledger that cannot be read because the file or the row is damaged.",
  },
  leaseLost: {
    metric: "messages_lease_lost_total",
    help: "Messages that another inbox took over while their handler ran here. The other inbox delivers them.",
  },
  eventsUntold: {
    metric: "events_untold_total",
    help: "Events (the webhook's `events`) that could not be posted.",
  },
  hostErrors: { metric: "host_errors_total", help: "Times that a function of the host (`session`, `accept`) threw." },
  sessions: { metric: "sessions", help: "Sessions subscribed to." },
  recoveryPending: { metric: "recovery_pending_sessions", help: "Sessions that wait to be brought up to date." },
  jobs: { metric: "cron_jobs", help: "Cron jobs of ours that are followed because they should speak." },
  silentJobs: { metric: "silent_jobs", help: "Cron jobs that were due, said nothing, and have not been heard since." },
  unsafe: {
    metric: "ledger_unsafe",
    help: "1 while the ledger cannot be written, so that a crash would lose messages; else 0.",
  },
  liveRuns: { metric: "live_runs", help: "Runs in `buffering`." },
  pending: { metric: "pending_messages", help: "Messages that are dispatched and neither delivered nor dead." },
  pendingBytes: {
    metric: "pending_bytes",
    help: "Text of pending messages, in bytes of memory at two bytes a character.",
  },
  attempting: { metric: "attempting_messages", help: "Messages whose handler runs; counted in `pending`, too." },
  waiting: {
    metric: "waiting_messages",
    help: "Messages that wait for their next attempt; counted in `pending`, too. All others wait for their turn.",
  },
  bufferedBytes: {
    metric: "buffered_bytes",
    help: "Characters buffered for live runs, in bytes of memory at two bytes a character.",
  },
} as const satisfies Readonly<Record<string, Counter>>;

/**
 * Everything the inbox has counted since it was created. Gauges say how many there are at present. The table `counters`
 * explains each name.
 */
export type InboxStats = { readonly [Name in keyof typeof counters]: number };

/** The same, writable: only `Report` changes it. */
export type Counts = { -readonly [Name in keyof InboxStats]: number };

export function zeroCounts(): Counts {
  return Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as Counts;
}
