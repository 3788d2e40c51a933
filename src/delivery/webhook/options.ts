import { assertKnownKeys, InboxError, optionError } from "../../errors.ts";
import { type Clock, systemClock } from "../../kit/clock.ts";

/** Everything that {@link webhook} can report besides messages. */
export const WEBHOOK_EVENTS = [
  "run.errored",
  "run.expired",
  "delivery.dead",
  "link.paused",
  "link.live",
  "job.silent",
] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** Options of {@link webhook}. */
export interface WebhookOptions {
  /**
   * Where to post. `https:`, or `http:` to this machine (`localhost`, `127.0.0.0/8`, `[::1]`). Plain `http:` elsewhere
   * needs `allowInsecure`, because a signature proves who wrote a message but does not hide it. The URL may not hold a
   * user or a password; use `headers`.
   */
  readonly url: string | URL;
  /**
   * Allows plain `http:` to any host, e.g. `http://web:3000` in a network of Docker or Kubernetes. Anyone who can
   * listen on the network can then read the messages.
   *
   * @default false
   */
  readonly allowInsecure?: boolean;
  /**
   * `whsec_` and the base64 of 24 to 64 random bytes, known to the receiver. To change the secret, give both the old
   * and the new one: every request is then signed with each.
   */
  readonly secret: string | readonly string[];
  /**
   * How long an attempt may take until the answer's status line is there, in ms, from 1 to 300,000.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number;
  /**
   * Further headers, e.g. `authorization`. `content-type`, `webhook-*` and the headers of the connection cannot be set.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The largest request body, in bytes. A larger message becomes a dead letter at once; it is never cut. The default
   * holds the longest text a Gateway sends (500,000 characters) in any encoding.
   *
   * @default 4_194_304
   */
  readonly maxBodyBytes?: number;
  /**
   * What to report besides messages: `"run.errored"`, `"run.expired"`, `"delivery.dead"`, `"link.paused"`,
   * `"link.live"`, `"job.silent"`. Each is posted like a message, with `type: "openclaw.run.errored"` and so on, up to 5 times. At most
   * 1,000 events wait, in memory and only while the inbox runs.
   *
   * @default []
   */
  readonly events?: readonly WebhookEvent[];
  /** The clock for the signature, the timeout and a `Retry-After` date. Default: the system's. */
  readonly clock?: Clock;
}

/** The checked {@link WebhookOptions}, ready for use. */
export interface WebhookTarget {
  readonly url: URL;
  /** The keys to sign with, of 24 to 64 bytes each. */
  readonly keys: readonly Buffer[];
  readonly headers: Headers;
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
  readonly events: ReadonlySet<WebhookEvent>;
  readonly clock: Clock;
}

const KNOWN = ["url", "secret", "timeoutMs", "headers", "maxBodyBytes", "allowInsecure", "events", "clock"];

/** Our headers and those of the connection. `fetch` would refuse some of them only at the first message. */
const RESERVED_HEADERS =
  /^(webhook-.*|content-(type|length|encoding)|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i;

/** `fetch` itself gives up after 300 s, with a less clear error. */
const LONGEST_TIMEOUT_MS = 300_000;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION`. It never holds the secret, a header's value or the URL.
 */
export function resolveWebhookOptions(options: WebhookOptions): WebhookTarget {
  assertKnownKeys("webhook()", options, KNOWN);
  const { timeoutMs = 15_000, maxBodyBytes = 4_194_304, allowInsecure = false, events = [] } = options;
  const { clock = systemClock } = options;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > LONGEST_TIMEOUT_MS) {
    throw optionError("timeoutMs", `an integer from 1 to ${LONGEST_TIMEOUT_MS}`, timeoutMs);
  }
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 1) {
    throw optionError("maxBodyBytes", "an integer >= 1", maxBodyBytes);
  }
  if (typeof allowInsecure !== "boolean") throw unquotedOptionError("allowInsecure", "true or false");
  return {
    url: readUrl(options.url, allowInsecure),
    keys: readSecrets(options.secret),
    headers: readHeaders(options.headers ?? {}),
    timeoutMs,
    maxBodyBytes,
    events: readEvents(events),
    clock,
  };
}

function readUrl(value: string | URL, allowInsecure: boolean): URL {
  const url = typeof value === "string" ? (URL.canParse(value) ? new URL(value) : undefined) : value;
  if (!(url instanceof URL)) throw unquotedOptionError("url", "an absolute URL");
  if (url.username !== "" || url.password !== "") {
    throw unquotedOptionError("url", "a URL without user and password: give them as `headers.authorization`");
  }
  if (url.protocol === "https:" || (url.protocol === "http:" && (allowInsecure || isLoopback(url.hostname))))
    return new URL(url);
  throw unquotedOptionError(
    "url",
    `an https: URL, or an http: one to this machine (to another one by \`allowInsecure\`); it is ${url.protocol}//${url.host}`,
  );
}

/** The URL parser has turned every spelling of an IPv4 address into four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function readEvents(events: readonly WebhookEvent[]): ReadonlySet<WebhookEvent> {
  const expected = `an array of ${WEBHOOK_EVENTS.map((name) => `"${name}"`).join(", ")}`;
  const isKnown = (name: WebhookEvent) => WEBHOOK_EVENTS.includes(name);
  if (!Array.isArray(events) || !events.every(isKnown)) throw unquotedOptionError("events", expected);
  return new Set(events);
}

function readSecrets(secret: string | readonly string[]): readonly Buffer[] {
  const secrets = Array.isArray(secret) ? (secret as readonly string[]) : [secret as string];
  if (secrets.length === 0) throw unquotedOptionError("secret", "a secret, or an array of at least one");
  return secrets.map(readSecret);
}

function readSecret(secret: string): Buffer {
  const base64 = typeof secret === "string" ? /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] : undefined;
  const key = Buffer.from(base64 ?? "", "base64");
  if (base64 === undefined || base64.length % 4 !== 0 || key.length < 24 || key.length > 64) {
    throw unquotedOptionError("secret", "`whsec_` and the padded base64 of 24 to 64 bytes");
  }
  return key;
}

function readHeaders(extra: Readonly<Record<string, string>>): Headers {
  const headers = new Headers({ "user-agent": "openclaw-inbox" });
  for (const [name, value] of Object.entries(extra)) {
    if (RESERVED_HEADERS.test(name))
      throw unquotedOptionError("headers", `free of \`${name}\`, which is not the caller's to set`);
    if (typeof value !== "string" || !isHeader(name, value))
      throw unquotedOptionError("headers", "names and texts that HTTP allows");
    headers.set(name, value);
  }
  headers.set("content-type", "application/json");
  return headers;
}

/** The error of `Headers` quotes the value, which may be a token. So that error is not passed on. */
function isHeader(name: string, value: string): boolean {
  try {
    new Headers().set(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Like `optionError`, for values that must not be quoted. */
function unquotedOptionError(option: string, expected: string): InboxError {
  return new InboxError("ERR_INBOX_OPTION", `Expected \`${option}\` to be ${expected} (what was given is not shown)`, {
    option,
  });
}
