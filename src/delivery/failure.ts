import { errorText, isInboxError } from "../errors.ts";
import { answerKeptWith } from "./receiver-answer.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Why an attempt failed. It is read once from what the handler threw, which may be any value. */
export interface Failure {
  /** For the log: short and well-formed. */
  readonly text: string;
  /** For the ledger and `deliveries$`: the text, and the receiver's answer. */
  readonly record: string;
  /** Another attempt cannot help. */
  readonly permanent: boolean;
  /** The message does not belong to this inbox any longer. */
  readonly isLeaseLost: boolean;
  /** The receiver asks to wait at least this many ms. */
  readonly retryAfterMs: number | undefined;
  /** What was thrown. Only its stack may be logged, because other fields may hold message text. */
  readonly error: unknown;
}

/** Never throws, even when the thrown value is a proxy or has getters that throw. */
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
