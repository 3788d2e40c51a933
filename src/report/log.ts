import { errorStack, errorText } from "../errors.ts";
import type { GatewayEvent, JobAlarm, LinkStatus, Logger, ProactiveMessage, Rejection, RunOutcome } from "../types.ts";

/** What the inbox writes to the log: one line per change of state. It always has the ids, never message text. */
export interface Log {
  /** `cause` says why the run errored, in words of the Gateway or of this package, never the agent's. */
  settled(outcome: RunOutcome, cause?: string): void;
  alreadyTaken(message: ProactiveMessage): void;
  delivered(message: ProactiveMessage, attempts: number): void;
  retried(message: ProactiveMessage, attempts: number, failure: DeliveryFailure, delayMs: number): void;
  died(message: ProactiveMessage, attempts: number, failure: DeliveryFailure): void;
  leaseLost(message: ProactiveMessage): void;
  eventUntold(name: string, error: unknown): void;
  linked(status: LinkStatus): void;
  rejected(rejection: Rejection): void;
  unknownState(event: GatewayEvent): void;
  /** `what` is from a fixed list, and `name` is only a name. */
  drifted(gateway: string, what: string, name: string, isLast: boolean): void;
  hostError(option: string, error: unknown): void;
  ledgerError(error: unknown): void;
  ledgerSafe(): void;
  claimFailed(error: unknown): void;
  catchingUp(gateway: string, read: number, pending: number): void;
  caughtUp(gateway: string, result: CaughtUp, recovered: number, tookMs: number): void;
  recoveryLate(gateway: string, pending: number): void;
  /** `isRepeat`: a similar failure was logged already. */
  requestFailed(gateway: string, method: string, params: object, error: unknown, isRepeat: boolean): void;
  historyCut(gateway: string, sessionKey: string, rows: number): void;
  bookmarkUnreadable(gateway: string, error: unknown): void;
  jobSilent(alarm: JobAlarm): void;
  jobHeard(alarm: JobAlarm): void;
  stopped(unfinished: number, pending: number): void;
}

/** Why an attempt failed. */
export interface DeliveryFailure {
  /** The error in words that may be logged. */
  readonly text: string;
  /** The error for the dead letter: with the receiver's answer, which may repeat the message. */
  readonly record: string;
  /** What the handler threw. Its stack is logged. */
  readonly error?: unknown;
}

/** The result of catching up. */
export interface CaughtUp {
  /** How many sessions of ours the Gateway has. */
  readonly sessions: number;
  /** How many sessions were read. */
  readonly read: number;
  /** Something may still be missing. It will be tried again. */
  readonly failed: boolean;
}

/** A Gateway's sentence may quote a provider at length. The rest is cut off. */
const MAX_CAUSE_CHARS = 500;

/** Writes to `logger`. Without one it does nothing, and builds no fields. */
export function createLog(logger: Logger | undefined): Log {
  const log = logTo(logger ?? { debug() {}, info() {}, warn() {}, error() {} });
  if (logger !== undefined) return log;
  return Object.fromEntries(Object.keys(log).map((name) => [name, () => {}])) as unknown as Log;
}

function logTo(log: Logger): Log {
  return {
    settled(outcome, cause = "Unknown error") {
      if (outcome.status === "dispatched") return log.info(idsOf(outcome.message), "message dispatched");
      const { gateway, runId, sessionKey, text, status } = outcome;
      const fields = { gateway, runId, sessionKey, chars: text.length };
      switch (status) {
        case "errored":
          return log.error(
            { ...fields, error: cause.slice(0, MAX_CAUSE_CHARS), errorKind: outcome.errorKind },
            "run errored",
          );
        case "expired":
          return log.warn(fields, "run expired: the Gateway never said how it ended");
        case "aborted":
          return log.info(fields, "run aborted");
        case "discarded":
          return log[outcome.reason === "unroutable" ? "warn" : "info"](
            { ...fields, reason: outcome.reason },
            "run discarded",
          );
      }
    },
    alreadyTaken: (message) => log.debug(idsOf(message), "message already in the ledger"),
    delivered: (message, attempt) => log.info({ ...idsOf(message), attempt }, "message delivered"),
    retried: (message, attempt, { text, error }, delayMs) =>
      log.warn(
        { ...idsOf(message), attempt, error: text, stack: errorStack(error), delayMs },
        "delivery failed, will be retried",
      ),
    died: (message, attempt, { text, error }) =>
      log.error({ ...idsOf(message), attempt, error: text, stack: errorStack(error) }, "delivery gave up: dead letter"),
    eventUntold: (event, error) => log.warn({ event, ...thrown(error) }, "event could not be reported"),
    leaseLost: (message) => log.info(idsOf(message), "another inbox took the message over"),
    linked({ state, gateway, owner, reason, ended }) {
      const level = state === "paused" ? "error" : state === "offline" && !ended ? "warn" : "info";
      log[level]({ gateway, owner, state, reason }, `link ${state}`);
    },
    rejected: (rejection) => log.warn({ ...rejection }, "unreadable frame or event"),
    drifted(gateway, what, name, isLast) {
      log.warn({ gateway, what, name }, "the Gateway sends something that no tested version has sent");
      if (isLast)
        log.warn({ gateway }, "the Gateway may send more that no tested version has sent: no further names are logged");
    },
    unknownState: ({ gateway, event: { runId, state } }) =>
      log.debug({ gateway, runId, state: state.slice(0, 40) }, "event of an unknown state ignored"),
    hostError: (option, error) => log.error({ option, ...thrown(error) }, `the \`${option}\` function threw`),
    ledgerError: (error) =>
      log.error(thrown(error), "the ledger failed: messages are delivered from memory and are not safe"),
    catchingUp: (gateway, read, pending) => log.info({ gateway, read, pending }, "catching up"),
    caughtUp: (gateway, { sessions, read, failed }, recovered, tookMs) =>
      log[failed ? "warn" : "info"](
        { gateway, sessions, read, recovered, tookMs },
        failed ? "caught up in part: will be tried again" : "caught up",
      ),
    recoveryLate: (gateway, pending) =>
      log.warn({ gateway, pending }, "catching up takes long: the link is live, the rest follows"),
    requestFailed: (gateway, method, params, error, isRepeat) => {
      const { key, sessionKey = key } = params as { readonly key?: unknown; readonly sessionKey?: unknown };
      const fields = { gateway, method, sessionKey, error: errorText(error) };
      log[isRepeat ? "debug" : "warn"](fields, "request to the Gateway failed");
    },
    historyCut: (gateway, sessionKey, rows) =>
      log.warn(
        { gateway, sessionKey, rows },
        "more was missed in a session than may be read: its oldest rows are missing",
      ),
    bookmarkUnreadable: (gateway, error) =>
      log.error({ gateway, ...thrown(error) }, "the bookmarks could not be read from the ledger: catching up waits"),
    // The name and the Gateway's words are left out, because they may hold the text of the job.
    jobSilent: ({ gateway, job, due, error }) =>
      log.warn({ gateway, job, due: new Date(due).toISOString(), error: errorText(error) }, "a cron job is silent"),
    jobHeard: ({ gateway, job }) => log.info({ gateway, job }, "a silent cron job is heard again"),
    claimFailed: (error) => log.error(thrown(error), "could not look for undelivered messages of other processes"),
    ledgerSafe: () => log.info({}, "the ledger is on disk again"),
    stopped: (unfinished, pending) =>
      log[unfinished + pending > 0 ? "warn" : "info"]({ unfinished, pending }, "inbox stopped"),
  };
}

function idsOf({ id, gateway, runId, sessionKey, text, late, recovered, origin }: ProactiveMessage): object {
  return { id, gateway, runId, sessionKey, chars: text.length, late, recovered, origin };
}

/**
 * Only the text and the stack of the error. Other fields may hold message text: an HTTP client's error may have the
 * request's body.
 */
function thrown(error: unknown): object {
  return { error: errorText(error), stack: errorStack(error) };
}
