import type { InspectionEvent, Observer } from "xstate";
import type { Deliver } from "./delivery/deliver.ts";
import { InboxError, optionError, unknownOption } from "./errors.ts";
import { type Clock, MAX_DELAY_MS, systemClock } from "./kit/clock.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { GatewayOptions } from "./source/gateway/options.ts";
import type { Source } from "./source/source.ts";
import type { Logger, ProactiveMessage, Session } from "./types.ts";

/** How failed deliveries are repeated. */
export interface RetryOptions {
  /** Attempts in all, from 1; `Infinity` never gives up. Default 10. */
  readonly maxAttempts?: number;
  /** The longest the first wait can be, in ms, from 0; it doubles with each attempt, and each wait is a random part of it (full jitter). Default 1,000. */
  readonly firstDelayMs?: number;
  /** No wait is longer, in ms, unless the receiver asks for it (`Retry-After`). Default 300,000. */
  readonly maxDelayMs?: number;
}

/** Options of `createInbox`. Everything is optional; a misspelt option is an error. */
export interface InboxOptions<S extends Session = Session> {
  /** The Gateways to listen to: addresses, sources, or both. With neither this nor `source`, feed `handle()`. */
  readonly gateway?: string | GatewayOptions | Source | readonly (string | GatewayOptions | Source)[];
  /** The same as `gateway`, for code that reads better with this word. Both may be given. */
  readonly source?: string | GatewayOptions | Source | readonly (string | GatewayOptions | Source)[];
  /**
   * Reads a session key, as the Gateway writes it (in lower case, but for ids such as those of Matrix rooms): the session, or undefined when the conversation is not ours.
   * Must be quick and must not throw; a throw counts as not ours. Default: all are ours, `{}`.
   */
  readonly session?: (sessionKey: string) => S | undefined;
  /** The handler. Default: none; then loop over `inbox.messages()`, or watch `messages$`, where each counts as delivered at once. */
  readonly deliver?: Deliver<S>;
  readonly retry?: RetryOptions;
  /** How long one attempt may take before its `signal` is aborted and it counts as failed, in ms, from 1; `Infinity`: no limit. Default 30,000. */
  readonly timeoutMs?: number;
  /** How many attempts may run at once, from 1. Default 16. */
  readonly concurrency?: number;
  /** `"session"`: a session's messages one after the other, in the order they were completed. `"none"`: no order. Default `"session"`. */
  readonly ordering?: "session" | "none";
  /** Where messages are remembered: the path of a file (made when it is not there), a Ledger, or nothing: in memory. */
  readonly ledger?: string | Ledger;
  /** How long delivered ids are remembered by a ledger that the inbox makes, in ms. Default 86,400,000 (24 hours). */
  readonly retainMs?: number;
  /** The last word on a finished message: false discards it as `"declined"`. A throw counts as true: no message is lost to a bug. */
  readonly accept?: (message: ProactiveMessage<S>) => boolean;
  /**
   * How long a run may go on, in ms from its first event; then it is `expired`. Deltas do not extend it.
   * Gateways retry a silent model for 2 to 3 minutes: nothing shorter may give a run up. 1 to 2,147,483,647. Default 1,800,000 (30 minutes).
   */
  readonly ttlMs?: number;
  /** How long an event is remembered to drop its repeats, in ms; `0` turns that off. Default 30,000. */
  readonly dedupWindowMs?: number;
  /** How long a settled run is remembered, in ms; `0` turns that off. Default 60,000. */
  readonly settledWindowMs?: number;
  /** Hand over what sub-agents say to their parents, too. Default false: the parent's announcement is the message. */
  readonly includeSubagents?: boolean;
  /**
   * Hand over finals whose whole text is a token of silence: `NO_REPLY`, `HEARTBEAT_OK`, `ANNOUNCE_SKIP`, `REPLY_SKIP`,
   * `(no output)`. Default false: they are `discarded` as `"empty"`.
   */
  readonly handOverSilence?: boolean;
  /** Runs in `buffering` at once, from 1. A run beyond is `errored` with `errorKind: "maxRuns"`; its final is still handed over. Default 100,000. */
  readonly maxRuns?: number;
  /** Settled runs, and solicited run ids, remembered at once, from 1; one more forgets the oldest. Default 100,000. */
  readonly maxSettledRuns?: number;
  /** The longest text of one run, in bytes of UTF-8, from 1. A longer one is `errored` with `errorKind: "maxTextBytes"`. Gateways send at most 500,000 characters. Default 4,194,304. */
  readonly maxTextBytes?: number;
  /** The text buffered for all runs together, in bytes of memory (two a character). A run that would exceed it is `errored` with `errorKind: "maxBufferedBytes"`. Default 268,435,456. */
  readonly maxBufferedBytes?: number;
  /** The largest frame that is parsed, in bytes; a larger one is rejected as `"too-large"`. Gateways send at most 26,214,400 (`policy.maxPayload`), the default. */
  readonly maxFrameBytes?: number;
  /** Event keys remembered at once for `dedupWindowMs`, from 1; one more forgets the oldest. Default 300,000. */
  readonly maxDedupKeys?: number;
  /** Messages taken on and not yet delivered, from 1; one more is a dead letter at once. Default 100,000. */
  readonly maxPending?: number;
  /** The text of those messages together, in bytes of memory (two a character), from 1; one more is a dead letter at once. Default 268,435,456. */
  readonly maxPendingBytes?: number;
  /** Sessions of one Gateway that are subscribed to and brought up to date, from 1; the ones with the latest activity first. Default 10,000. */
  readonly maxSessions?: number;
  /** Rows of one session's history that are read to bring it up to date, from 50; the newest. Default 1,000. */
  readonly maxHistoryRows?: number;
  /**
   * How long a link may stay `recovering`, in ms, from 1; then it is `live` and catching up goes on behind it.
   * Live events never wait. Default 60,000.
   */
  readonly recoveryTimeoutMs?: number;
  /** A pino instance, or anything shaped like one. Default: none. Message text is never logged. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** An XState inspection observer, passed to every actor. It sees the length of texts in place of them. */
  readonly inspect?: ((event: InspectionEvent) => void) | Observer<InspectionEvent>;
  /** Let `inspect` see message text. Default false. */
  readonly inspectText?: boolean;
  /** A number in [0, 1), for the jitter of retries. Default: `Math.random`. */
  readonly random?: () => number;
}

/** A way to check a value. */
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

/** An option: how it is checked, and what it is when it is absent. */
interface Option<T> {
  readonly check: Check;
  readonly fallback: T;
}

function option<const T>(fallback: T, check: Check): Option<T> {
  return { check, fallback };
}

/** Every option that has a plain default. What `defaults` holds and what is checked follow from here. */
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
  clock: option(systemClock, shapedLike("a clock", "now", "setTimeout", "clearTimeout")),
  inspectText: option(false, flag),
  random: option(Math.random, callable),
} satisfies { readonly [K in keyof InboxOptions]?: Option<InboxOptions[K]> };

/** Options that may stay absent. */
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

/** The defaults of everything that has a plain one. */
export const defaults = defaultsOf(plain);

/** The defaults of `retry`. */
export const retryDefaults = defaultsOf(retryOptions);

/** {@link InboxOptions}, checked and filled in. */
export type InboxSettings = Readonly<
  Required<Pick<InboxOptions, keyof typeof plain>> &
    Pick<InboxOptions, keyof typeof optional | "gateway" | "source"> & { retry: Required<RetryOptions> }
>;

const checks: Readonly<Record<string, Check>> = { ...checksOf(plain), ...optional };
/** Checked elsewhere. */
const others = ["gateway", "source", "retry"];

/** Throws for the first option that is unknown or does not hold; undefined counts as absent. */
function check(options: object, table: Readonly<Record<string, Check>>, path = "", others: readonly string[] = []) {
  for (const [name, value] of Object.entries(options)) {
    if (others.includes(name)) continue;
    const test = Object.hasOwn(table, name) ? table[name] : undefined;
    if (test === undefined) throw unknownOption(name, [...Object.keys(table), ...others], path);
    if (value !== undefined && !test.holds(value)) throw optionError(path + name, test.expected, value);
  }
}

/** The entries that are not undefined: only those override a default. */
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

/** What a function of the host's answered. A promise is no answer: it counts as a throw, and its rejection is not lost. */
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
