import { errorText, isInboxError } from "../errors.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Why an attempt failed. Read once from what the handler threw, which may be anything. */
export interface Failure {
  /** For the log, the ledger and `deliveries$`: short and well-formed. */
  readonly text: string;
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
  return {
    text: errorText(error),
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
