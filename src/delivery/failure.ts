import { errorText, isInboxError } from "../errors.ts";
import { answerKeptWith } from "./receiver-answer.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Why an attempt failed. Read once from what the handler threw, which may be anything. */
export interface Failure {
  /** For the log: short and well-formed. */
  readonly text: string;
  /** For the ledger and `deliveries$`: the text, and what the receiver answered. */
  readonly record: string;
  /** No retry can help. */
  readonly permanent: boolean;
  /** The message is not this inbox's any more. */
  readonly isLeaseLost: boolean;
  /** The receiver asks not to be tried again before this many ms. */
  readonly retryAfterMs: number | undefined;
  /** What was thrown, for its stack. Its fields may hold message text: log nothing else of it. */
  readonly error: unknown;
}

/** Never throws, although a host's error may: it can be a proxy, or have getters. */
export function readFailure(error: unknown): Failure {
  const text = errorText(error);
  const answer = answerKeptWith(error);
  return {
    text,
    record: answer === undefined ? text : `${text}: ${answer}`,
    permanent: ifReadable(() => isInboxError(error, "ERR_INBOX_PERMANENT")) ?? false,
    isLeaseLost: ifReadable(() => isInboxError(error, "ERR_INBOX_LEASE")) ?? false,
    retryAfterMs: ifReadable(() => retryAfterMs(error)),
    error,
  };
}

function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
