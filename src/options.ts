import type { InspectionEvent, Observer } from "xstate";
import type { Deliver } from "./delivery/deliver.ts";
import { InboxError, optionError, unknownOption } from "./errors.ts";
import { type Clock, MAX_DELAY_MS, systemClock } from "./kit/clock.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { GatewayOptions } from "./source/gateway/options.ts";
import type { Source } from "./source/source.ts";
import type { Logger, ProactiveMessage, Session } from "./types.ts";

/** How failed deliveries are retried. */
export interface RetryOptions {
  /** The most attempts, counting the first, from 1. `Infinity` never gives up. Default 10. */
  readonly maxAttempts?: number;
  /**
   * The upper bound of the first wait, in ms, from 0. It doubles with each attempt, and each wait is a random part of
   * it (full jitter). Default 1,000.
   */
  readonly firstDelayMs?: number;
  /**
   * The upper bound of every wait, in ms. Only a longer wait that the receiver asks for (`Retry-After`) goes beyond it.
   * Default 300,000.
   */
  readonly maxDelayMs?: number;
}

/** Options of `createInbox`. Every option may be left out. A misspelt option is an error. */
export interface InboxOptions<S extends Session = Session> {
  /** The Gateways to listen to: addresses, sources, or both. Without this and `source`, call `handle()`. */
  readonly gateway?: string | GatewayOptions | Source | readonly (string | GatewayOptions | Source)[];
  /** The same as `gateway`, for code that reads better with this word. Both may be given. */
  readonly source?: string | GatewayOptions | Source | readonly (string | GatewayOptions | Source)[];
  /**
   * Reads a session key as the Gateway writes it: in lower case, except for ids such as those of Matrix rooms. Returns
   * the session, or undefined when the conversation is not ours. It must be quick. If it throws, the conversation is
   * not ours. Default: all conversations are ours, with `{}`.
   */
  readonly session?: (sessionKey: string) => S | undefined;
  /**
   * The handler. Default: none. Then loop over `inbox.messages()`, or subscribe to `messages$`, where each message
   * counts as delivered at once.
   */
  readonly deliver?: Deliver<S>;
  readonly retry?: RetryOptions;
  /**
   * How long one attempt may take, in ms, from 1. Then its `signal` is aborted and the attempt has failed. `Infinity`:
   * no limit. Default 30,000.
   */
  readonly timeoutMs?: number;
  /** How many attempts may run at once, from 1. Default 16. */
  readonly concurrency?: number;
  /**
   * `"session"`: the messages of a session are delivered one after the other, in the order in which they were
   * completed. `"none"`: in any order. Default `"session"`.
   */
  readonly ordering?: "session" | "none";
  /** Where messages are remembered: the path of a file, which is created if needed, or a Ledger. Default: in memory. */
  readonly ledger?: string | Ledger;
  /**
   * How long the ids of delivered messages are remembered, in ms, by a ledger that the inbox creates. Default
   * 86,400,000 (24 hours).
   */
  readonly retainMs?: number;
  /**
   * Asked last about a finished message. `false` discards it as `"declined"`. If it throws, the message is accepted, so
   * that a bug loses no message.
   */
  readonly accept?: (message: ProactiveMessage<S>) => boolean;
  /**
   * How long a run may take, in ms from its first event. Then it is `expired`. Deltas do not extend it. Gateways retry
   * a silent model for 2 to 3 minutes, so use more than that. 1 to 2,147,483,647. Default 1,800,000 (30 minutes).
   */
  readonly ttlMs?: number;
  /** How long an event is remembered so that repeats can be dropped, in ms. `0` drops no repeats. Default 30,000. */
  readonly dedupWindowMs?: number;
  /** How long a settled run is remembered, in ms. `0` remembers none. Default 60,000. */
  readonly settledWindowMs?: number;
  /** Also dispatch what sub-agents say to their parents. Default false: the parent's announcement is the message. */
  readonly includeSubagents?: boolean;
  /**
   * Also dispatch finals whose whole text is a token of silence: `NO_REPLY`, `HEARTBEAT_OK`, `ANNOUNCE_SKIP`,
   * `REPLY_SKIP`, `(no output)`. Default false: they are `discarded` as `"empty"`.
   */
  readonly handOverSilence?: boolean;
  /**
   * The most runs in `buffering` at once, from 1. Further runs are `errored` with `errorKind: "maxRuns"`; their finals
   * are still dispatched. Default 100,000.
   */
  readonly maxRuns?: number;
  /**
   * The most settled runs, and the most solicited run ids, that are remembered, from 1. One more evicts the oldest.
   * Default 100,000.
   */
  readonly maxSettledRuns?: number;
  /**
   * The longest text of one run, in bytes of UTF-8, from 1. A run with a longer one is `errored` with
   * `errorKind: "maxTextBytes"`. Gateways send at most 500,000 characters. Default 4,194,304.
   */
  readonly maxTextBytes?: number;
  /**
   * The most text that is buffered for all runs together, in bytes of memory (two per character). A run that would
   * exceed it is `errored` with `errorKind: "maxBufferedBytes"`. Default 268,435,456.
   */
  readonly maxBufferedBytes?: number;
  /**
   * The largest frame that is parsed, in bytes. A larger one is rejected as `"too-large"`. Default 26,214,400: the most
   * that Gateways send (`policy.maxPayload`).
   */
  readonly maxFrameBytes?: number;
  /**
   * The most event keys that are remembered within `dedupWindowMs`, from 1. One more evicts the oldest. Default
   * 300,000.
   */
  readonly maxDedupKeys?: number;
  /** The most undelivered messages, from 1. One more becomes a dead letter at once. Default 100,000. */
  readonly maxPending?: number;
  /**
   * The most text of undelivered messages together, in bytes of memory (two per character), from 1. A message beyond it
   * becomes a dead letter at once. Default 268,435,456.
   */
  readonly maxPendingBytes?: number;
  /**
   * The most sessions of one Gateway that are subscribed to and caught up, from 1. Those with the latest activity come
   * first. Default 10,000.
   */
  readonly maxSessions?: number;
  /** The most rows of one session's history that are read to catch up, from 50. The newest are read. Default 1,000. */
  readonly maxHistoryRows?: number;
  /**
   * How long a link may stay `recovering`, in ms, from 1. Then it is `live`, and catching up continues. Live events
   * never wait. Default 60,000.
   */
  readonly recoveryTimeoutMs?: number;
  /**
   * How long a cron job that is due may take to say something, in ms; then there is an alarm on `alarms$`. It counts
   * while the link is live. Gateways hold reminders back for up to a minute and repeat a failing model for three.
   * 0 to 2,147,483,647; `0` watches no job. Default 300,000 (5 minutes).
   */
  readonly jobGraceMs?: number;
  /** A pino instance, or any object with its methods. Default: none. Message text is never logged. */
  readonly logger?: Logger;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** An XState inspection observer, passed to every actor. Texts are replaced by their lengths. */
  readonly inspect?: ((event: InspectionEvent) => void) | Observer<InspectionEvent>;
  /** Lets `inspect` see message text. Default false. */
  readonly inspectText?: boolean;
  /** A number in [0, 1), for the jitter of retries. Default: `Math.random`. */
  readonly random?: () => number;
}

/** How a value is checked. */
interface Check {
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
}

function integer(from: number, to = Number.MAX_SAFE_INTEGER): Check {
  const expected = to === Number.MAX_SAFE_INTEGER ? `an integer >= ${from}` : `an integer from ${from} to ${to}`;
  return {
    expected,
    holds: (value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to,
  };
}

function orInfinity({ expected, holds }: Check): Check {
  return { expected: `${expected}, or Infinity`, holds: (value) => value === Number.POSITIVE_INFINITY || holds(value) };
}

function shapedLike(noun: string, ...methods: string[]): Check {
  return {
    expected: `${noun} (an object with ${methods.map((method) => `\`${method}\``).join(", ")})`,
    holds: (value) =>
      typeof value === "object" &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function"),
  };
}

const flag: Check = { expected: "a boolean", holds: (value) => typeof value === "boolean" };
const callable: Check = { expected: "a function", holds: (value) => typeof value === "function" };
const delay = integer(0, MAX_DELAY_MS);
const ledgerShape = shapedLike(
  "a path or a Ledger",
  "open",
  "take",
  "attempted",
  "delivered",
  "dead",
  "claim",
  "deadLetters",
  "deadLetter",
  "revive",
  "drop",
  "solicit",
  "cursor",
  "setCursor",
  "flush",
  "close",
);
const observerShape = shapedLike("a function or an observer", "next");

/** An option: how it is checked, and its default. */
interface Option<T> {
  readonly check: Check;
  readonly fallback: T;
}

function option<const T>(fallback: T, check: Check): Option<T> {
  return { check, fallback };
}

/** Every option with a constant default. `defaults` and the checks are derived from this table. */
const plain = {
  session: option((): Session => ({}), callable),
  timeoutMs: option(30_000, orInfinity(integer(1, MAX_DELAY_MS))),
  concurrency: option(16, integer(1)),
  ordering: option("session", {
    expected: '"session" or "none"',
    holds: (value) => value === "session" || value === "none",
  }),
  retainMs: option(86_400_000, integer(1)),
  accept: option((): boolean => true, callable),
  ttlMs: option(1_800_000, integer(1, MAX_DELAY_MS)),
  dedupWindowMs: option(30_000, integer(0)),
  settledWindowMs: option(60_000, integer(0)),
  includeSubagents: option(false, flag),
  handOverSilence: option(false, flag),
  maxRuns: option(100_000, integer(1)),
  maxSettledRuns: option(100_000, integer(1)),
  maxTextBytes: option(4_194_304, integer(1)),
  maxBufferedBytes: option(268_435_456, integer(1)),
  maxFrameBytes: option(26_214_400, integer(1)),
  maxDedupKeys: option(300_000, integer(1)),
  maxPending: option(100_000, integer(1)),
  maxPendingBytes: option(268_435_456, integer(1)),
  maxSessions: option(10_000, integer(1)),
  maxHistoryRows: option(1_000, integer(50)),
  recoveryTimeoutMs: option(60_000, integer(1, MAX_DELAY_MS)),
  jobGraceMs: option(300_000, delay),
  clock: option(systemClock, shapedLike("a clock", "now", "setTimeout", "clearTimeout")),
  inspectText: option(false, flag),
  random: option(Math.random, callable),
} satisfies { readonly [K in keyof InboxOptions]?: Option<InboxOptions[K]> };

/** Options without a default. */
const optional = {
  deliver: callable,
  ledger: {
    expected: ledgerShape.expected,
    holds: (value) => (typeof value === "string" && value !== "") || ledgerShape.holds(value),
  },
  logger: shapedLike("a logger", "debug", "info", "warn", "error"),
  inspect: { expected: observerShape.expected, holds: (value) => callable.holds(value) || observerShape.holds(value) },
} satisfies { readonly [K in keyof InboxOptions]?: Check };

const retryOptions = {
  maxAttempts: option(10, orInfinity(integer(1))),
  firstDelayMs: option(1_000, delay),
  maxDelayMs: option(300_000, delay),
} satisfies { readonly [K in keyof RetryOptions]-?: Option<number> };

type Table = Readonly<Record<string, Option<unknown>>>;
type Defaults<T extends Table> = { readonly [K in keyof T]: T[K]["fallback"] };

function defaultsOf<T extends Table>(table: T): Defaults<T> {
  return Object.fromEntries(Object.entries(table).map(([name, { fallback }]) => [name, fallback])) as Defaults<T>;
}

function checksOf(table: Table): Record<string, Check> {
  return Object.fromEntries(Object.entries(table).map(([name, { check }]) => [name, check]));
}

/** The constant defaults. */
export const defaults = defaultsOf(plain);

/** The defaults of `retry`. */
export const retryDefaults = defaultsOf(retryOptions);

/** {@link InboxOptions}, checked and filled in. */
export type InboxSettings = Readonly<
  Required<Pick<InboxOptions, keyof typeof plain>> &
    Pick<InboxOptions, keyof typeof optional | "gateway" | "source"> & { retry: Required<RetryOptions> }
>;

const checks: Readonly<Record<string, Check>> = { ...checksOf(plain), ...optional };
/** Options that are checked elsewhere. */
const others = ["gateway", "source", "retry"];

/** Throws for the first option that is unknown or wrong. Undefined counts as absent. */
function check(options: object, table: Readonly<Record<string, Check>>, path = "", others: readonly string[] = []) {
  for (const [name, value] of Object.entries(options)) {
    if (others.includes(name)) continue;
    const test = Object.hasOwn(table, name) ? table[name] : undefined;
    if (test === undefined) throw unknownOption(name, [...Object.keys(table), ...others], path);
    if (value !== undefined && !test.holds(value)) throw optionError(path + name, test.expected, value);
  }
}

/** The entries that are not undefined. Only these override defaults. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/**
 * Checks the options and fills in the defaults. The Gateways are checked when they become sources.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for the first option that is wrong, with its name and value.
 */
export function resolveOptions(options: InboxOptions): InboxSettings {
  if (typeof options !== "object" || options === null) throw optionError("options", "an object", options);
  check(options, checks, "", others);
  const { retry = {} } = options;
  if (typeof retry !== "object" || retry === null) throw optionError("retry", "an object", retry);
  check(retry, checksOf(retryOptions), "retry.");
  const settings = { ...defaults, ...given(options), retry: { ...retryDefaults, ...given(retry) } };
  const { session, accept } = settings;
  return Object.freeze({
    ...settings,
    session: (sessionKey: string) => answered("session", session(sessionKey)) ?? undefined,
    accept: (message: ProactiveMessage) => answered("accept", accept(message)),
  });
}

/** Checks what a function of the host returned. A promise counts as a throw, and its rejection is handled. */
function answered<T>(name: string, answer: T): T {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== "function") return answer;
  Promise.resolve(answer).catch(() => {});
  throw new InboxError(
    "ERR_INBOX_OPTION",
    `Expected \`${name}\` to answer at once, got a promise: it must not be async`,
    {
      option: name,
    },
  );
}
