/** Everything the inbox counts, since it was created; from `sessions` on, how many there are now. */
export interface InboxStats {
  /** Frames that came from sources. */
  frames: number;
  /** Chat events that were taken to their run, from frames, `handle()` and recovery; duplicates are not among them. */
  events: number;
  /** Frames and events that could not be read: the sum over `rejections$`. */
  rejected: number;
  /** Events dropped because the same `(runId, state, seq)` came within the dedup window. */
  duplicates: number;
  /** Event keys forgotten before their time because of `maxDedupKeys`. */
  dedupEvicted: number;
  /** Events with a `state` that this version does not know. */
  unknownStates: number;
  /** Events of runs that had settled already. */
  afterEnd: number;
  /** Events that came after `stop()`. */
  afterStop: number;
  /** Runs begun: actors spawned. */
  started: number;
  /** Messages recorded in the ledger and given to delivery. */
  dispatched: number;
  discarded: number;
  errored: number;
  aborted: number;
  expired: number;
  /** Dispatched messages whose run had been given up before; part of `dispatched`. */
  late: number;
  /** Messages the ledger knew already: from before a restart, or taken on by another process. */
  alreadyTaken: number;
  /** Runs ended as `errored` because of `maxRuns`, `maxTextBytes` or `maxBufferedBytes`; part of `errored`. */
  overLimit: number;
  /** Settled runs forgotten before their time because of `maxSettledRuns`. */
  settledEvicted: number;
  /** Runs that were still in `buffering` at `stop()`. */
  unfinished: number;
  /** Runs whose end was missed and found in a Gateway's history; those known already are not among them. */
  recovered: number;
  /** Requests sent to Gateways to subscribe and to catch up, repeats included. */
  recoveryRequests: number;
  /** Requests that were given up after being repeated, and ended runs that could not be looked up. */
  recoveryFailed: number;
  /** Times that a session of ours was not subscribed to because of `maxSessions`. */
  sessionsOverLimit: number;
  delivered: number;
  /** Attempts that failed and were, or will be, repeated. */
  retried: number;
  /** Messages whose delivery gave up. */
  dead: number;
  /** Times that a function of the host's (`session`, `accept`) threw. */
  hostErrors: number;
  /** Sessions subscribed to. */
  sessions: number;
  /** Sessions that wait to be brought up to date. */
  recoveryPending: number;
  /** 1 while the ledger file cannot be written, so that messages are not safe from a crash; else 0. */
  unsafe: number;
  /** Runs in `buffering`. */
  liveRuns: number;
  /** Messages taken on and neither delivered nor dead. */
  pending: number;
  /** Messages that the handler has right now; part of `pending`. */
  attempting: number;
  /** Messages that wait for their next attempt; part of `pending`. The rest wait for their turn. */
  waiting: number;
  /** Characters buffered for live runs, in bytes of memory at two bytes a character. */
  bufferedBytes: number;
}

export function createStats(): InboxStats {
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
