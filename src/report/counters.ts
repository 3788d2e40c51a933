/** Everything the inbox counts, since it was created; from `sessions` on, how many there are now. */
export interface InboxStats {
  /** Frames that came from sources. */
  readonly frames: number;
  /** Chat events that were taken to their run, from frames, `handle()` and recovery; duplicates are not among them. */
  readonly events: number;
  /** Frames and events that could not be read: the sum over `rejections$`. */
  readonly rejected: number;
  /** Events dropped because the same `(runId, state, seq)` came within the dedup window. */
  readonly duplicates: number;
  /** Event keys forgotten before their time because of `maxDedupKeys`. */
  readonly dedupEvicted: number;
  /** Events with a `state` that this version does not know. */
  readonly unknownStates: number;
  /** Events of runs that had settled already. */
  readonly afterEnd: number;
  /** Events that came after `stop()`. */
  readonly afterStop: number;
  /** Runs begun: actors spawned. */
  readonly started: number;
  /** Messages recorded in the ledger and given to delivery. */
  readonly dispatched: number;
  readonly discarded: number;
  readonly errored: number;
  readonly aborted: number;
  readonly expired: number;
  /** Dispatched messages whose run had been given up before; part of `dispatched`. */
  readonly late: number;
  /** Messages the ledger knew already: from before a restart, or taken on by another process. */
  readonly alreadyTaken: number;
  /** Runs ended as `errored` because of `maxRuns`, `maxTextBytes` or `maxBufferedBytes`; part of `errored`. */
  readonly overLimit: number;
  /** Settled runs forgotten before their time because of `maxSettledRuns`. */
  readonly settledEvicted: number;
  /** Runs that were still in `buffering` at `stop()`. */
  readonly unfinished: number;
  /** Runs whose end was missed and found in a Gateway's history; those known already are not among them. */
  readonly recovered: number;
  /** Requests sent to Gateways to subscribe and to catch up, repeats included. */
  readonly recoveryRequests: number;
  /** Requests that were given up after being repeated, and ended runs that could not be looked up. */
  readonly recoveryFailed: number;
  /** Times that a session of ours was not subscribed to because of `maxSessions`. */
  readonly sessionsOverLimit: number;
  readonly delivered: number;
  /** Attempts that failed and were, or will be, repeated. */
  readonly retried: number;
  /** Messages whose delivery gave up. */
  readonly dead: number;
  /** Times that a function of the host's (`session`, `accept`) threw. */
  readonly hostErrors: number;
  /** Sessions subscribed to. */
  readonly sessions: number;
  /** Sessions that wait to be brought up to date. */
  readonly recoveryPending: number;
  /** 1 while the ledger file cannot be written, so that messages are not safe from a crash; else 0. */
  readonly unsafe: number;
  /** Runs in `buffering`. */
  readonly liveRuns: number;
  /** Messages taken on and neither delivered nor dead. */
  readonly pending: number;
  /** Messages that the handler has right now; part of `pending`. */
  readonly attempting: number;
  /** Messages that wait for their next attempt; part of `pending`. The rest wait for their turn. */
  readonly waiting: number;
  /** Characters buffered for live runs, in bytes of memory at two bytes a character. */
  readonly bufferedBytes: number;
}

/** The same while it is being counted. */
export type Counters = { -readonly [K in keyof InboxStats]: InboxStats[K] };

export function createCounters(): Counters {
  return {
    frames: 0,
    events: 0,
    rejected: 0,
    duplicates: 0,
    dedupEvicted: 0,
    unknownStates: 0,
    afterEnd: 0,
    afterStop: 0,
    started: 0,
    dispatched: 0,
    discarded: 0,
    errored: 0,
    aborted: 0,
    expired: 0,
    late: 0,
    alreadyTaken: 0,
    overLimit: 0,
    settledEvicted: 0,
    unfinished: 0,
    recovered: 0,
    recoveryRequests: 0,
    recoveryFailed: 0,
    sessionsOverLimit: 0,
    delivered: 0,
    retried: 0,
    dead: 0,
    hostErrors: 0,
    sessions: 0,
    recoveryPending: 0,
    unsafe: 0,
    liveRuns: 0,
    pending: 0,
    attempting: 0,
    waiting: 0,
    bufferedBytes: 0,
  };
}
