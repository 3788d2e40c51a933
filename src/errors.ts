import { nearest } from "./kit/nearest.ts";
import { wellFormed } from "./kit/well-formed.ts";

/**
 * What went wrong, as a stable word. Match on this, not on the message.
 *
 * - `ERR_INBOX_OPTION`: an option or argument is wrong; thrown at once.
 * - `ERR_INBOX_STOPPED`: the call needs a running inbox, and this one was stopped.
 * - `ERR_INBOX_NO_LINK`: the call needs a live link to that Gateway, and there is none.
 * - `ERR_INBOX_REQUEST`: a Gateway answered a request with an error, or not in time.
 * - `ERR_INBOX_SCOPE`: the Gateway did not grant the scope that the call needs.
 * - `ERR_INBOX_NO_ANSWER`: a run that `ask()` waited for ended without an answer; `details.outcome` says how.
 * - `ERR_INBOX_JOB`: a cron job was due and said nothing; only in an alarm.
 * - `ERR_INBOX_RECORDING`: a recording cannot be read or written.
 * - `ERR_INBOX_LEDGER`: the ledger cannot be opened, read or written.
 * - `ERR_INBOX_LEASE`: another inbox took the message over and delivers it; here it has no outcome.
 * - `ERR_INBOX_TRANSACTION`: a transactional handler used its client in a way that would lose or repeat effects.
 * - `ERR_INBOX_DELIVERY`: a delivery attempt failed and another may follow, not before `details.retryAfterMs` if that
 *   is set.
 * - `ERR_INBOX_TIMEOUT`: a delivery attempt took longer than `timeoutMs`.
 * - `ERR_INBOX_PERMANENT`: a delivery failed, and another attempt cannot help ({@link PermanentError}).
 */
export type InboxErrorCode =
  | "ERR_INBOX_OPTION"
  | "ERR_INBOX_STOPPED"
  | "ERR_INBOX_NO_LINK"
  | "ERR_INBOX_REQUEST"
  | "ERR_INBOX_SCOPE"
  | "ERR_INBOX_NO_ANSWER"
  | "ERR_INBOX_JOB"
  | "ERR_INBOX_RECORDING"
  | "ERR_INBOX_LEDGER"
  | "ERR_INBOX_LEASE"
  | "ERR_INBOX_TRANSACTION"
  | "ERR_INBOX_DELIVERY"
  | "ERR_INBOX_TIMEOUT"
  | "ERR_INBOX_PERMANENT";

const brand = Symbol.for("openclaw-inbox.error");

/** The one error class of this package. */
export class InboxError extends Error {
  override readonly name: string = "InboxError";
  readonly code: InboxErrorCode;
  /**
   * The values in the message, as fields: `option`, `runId`, `file`, `status`, ... Never message text, never a token.
   */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: InboxErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
    Object.defineProperty(this, brand, { value: true });
  }
}

/**
 * A `deliver` handler throws this or rejects with it when another attempt cannot help. The message becomes a dead
 * letter at once.
 */
export class PermanentError extends InboxError {
  override readonly name: string = "PermanentError";

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super("ERR_INBOX_PERMANENT", message, details, cause);
  }
}

/**
 * Whether `value` is an {@link InboxError}, with that `code` if one is given. It also recognizes errors of another
 * loaded copy of the package.
 */
export function isInboxError(value: unknown, code?: InboxErrorCode): value is InboxError {
  try {
    return (
      typeof value === "object" &&
      value !== null &&
      (value as Record<symbol, unknown>)[brand] === true &&
      (code === undefined || (value as InboxError).code === code)
    );
  } catch {
    // Anything can be thrown, even a revoked proxy.
    return false;
  }
}

/**
 * The error for a wrong option: ``Expected `port` to be an integer >= 0, got `-5` (number)``. The value is quoted, so
 * never pass a secret. Objects are not quoted, because they may hold a secret.
 */
export function optionError(option: string, expected: string, value: unknown): InboxError {
  return new InboxError("ERR_INBOX_OPTION", `Expected \`${option}\` to be ${expected}, got ${quoted(value)}`, {
    option,
  });
}

function quoted(value: unknown): string {
  if (value === null || value === undefined) return `\`${value}\``;
  if (typeof value === "object" || typeof value === "function")
    return isArray(value) ? "an array" : `a value of type ${typeof value}`;
  return `\`${String(value).slice(0, 100)}\` (${typeof value})`;
}

/**
 * Refuses options that are not an object, and an option that is not in `known`. So a typo is an error and not a silent
 * default. The value is not quoted, because it may be a secret.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION`. It names the option and the option that was probably meant, or lists all.
 */
export function assertKnownKeys(of: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null)
    throw optionError("options", `an object: the options of ${of}`, typeof options);
  const typo = Object.keys(options).find((key) => !known.includes(key));
  if (typo === undefined) return;
  const option = typo.slice(0, MAX_NAME_CHARS);
  const text = `Expected an option of ${of}, got \`${option}\`; ${meant(typo, known)}`;
  throw new InboxError("ERR_INBOX_OPTION", text, { option });
}

/** The error for an unknown option. `path` is the part before its name: `retry.`. */
export function unknownOption(name: string, known: readonly string[], path = ""): InboxError {
  const option = path + name.slice(0, MAX_NAME_CHARS);
  return new InboxError("ERR_INBOX_OPTION", `There is no option \`${option}\`; ${meant(name, known, path)}`, {
    option,
  });
}

function meant(name: string, known: readonly string[], path = ""): string {
  const near = nearest(name, known);
  return near === undefined ? `there are ${known.join(", ")}` : `did you mean \`${path}${near}\`?`;
}

/**
 * Returns what `read` returns. When `read` throws an error about an option, `path` is put before the option's name:
 * `url` becomes `gateway.url`.
 */
export function atPath<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isInboxError(error, "ERR_INBOX_OPTION")) throw error;
    const { option } = error.details;
    if (typeof option !== "string") throw error;
    const whole = option === "options" ? path : `${path}.${option}`;
    const message = error.message
      .replace(`\`${option}\``, `\`${whole}\``)
      .replace("did you mean `", `did you mean \`${path}.`);
    throw new InboxError("ERR_INBOX_OPTION", message, { ...error.details, option: whole }, error.cause);
  }
}

/** The most characters of an unknown name that are quoted. */
const MAX_NAME_CHARS = 100;

/** The most characters of an error's text that are logged or stored. */
const MAX_ERROR_CHARS = 4_096;

/** The text of a thrown value, for a log line or a record: well-formed, at most 4,096 characters. Never throws. */
export function errorText(error: unknown): string {
  try {
    const text = String(messageOf(error) ?? error);
    // Cut first, because checking a text of megabytes takes long.
    return wellFormed(text.slice(0, MAX_ERROR_CHARS));
  } catch {
    return `a value of type ${typeof error} that cannot be shown`;
  }
}

/** Undefined when there is none. Anything can be thrown. */
function messageOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  const { message, name } = error as { readonly message?: unknown; readonly name?: unknown };
  if (error instanceof Error && message === "") return name;
  return typeof message === "string" ? message : undefined;
}

/** How many stack frames, and how many causes, are logged. */
const MAX_FRAMES = 20;
const MAX_CAUSES = 3;

/**
 * The stack of a thrown value, for a log line: its frames, then the text and frames of its causes. The value's own text
 * and other fields are left out, because they may hold an agent's words. Undefined when there is no stack. Never
 * throws.
 */
export function errorStack(error: unknown): string | undefined {
  try {
    const lines = frames(error);
    let cause = causeOf(error);
    for (let i = 0; i < MAX_CAUSES && cause !== undefined; i++) {
      lines.push(`Caused by: ${errorText(cause)}`, ...frames(cause));
      cause = causeOf(cause);
    }
    return lines.length === 0 ? undefined : lines.join("\n");
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function frames(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { message, stack } = error;
  if (typeof stack !== "string") return [];
  // The stack begins with the message, and a line of the message may look like a frame.
  const rest = stack.slice(Math.max(0, stack.indexOf(message)) + String(message).length);
  return rest
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.slice(0, MAX_ERROR_CHARS));
}

/** `Array.isArray` throws for a revoked proxy. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
