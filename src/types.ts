/**
 * The words of this package: one word a concept, one concept a word.
 *
 * - **host**: the app that embeds the inbox, or the sidecar process.
 * - **Gateway**: an OpenClaw Gateway; an inbox may listen to several, each with a `name`.
 * - **frame**: one JSON WebSocket message: `{type: "event", event: "chat", payload, seq}`.
 * - **chat event**: the payload of a `chat` frame: `runId`, `sessionKey`, `seq`, `state`.
 * - **run**: one turn of an agent, named by `runId`, unique within its Gateway.
 * - **proactive run**: a run this host did not ask for.
 * - **solicited run**: a run this host did ask for.
 * - **session key**: the Gateway's address of a conversation, e.g. `agent:main:collavre:42:creative:100`.
 * - **transcript row**: one row of a session's history, live (`session.message`) or read (`chat.history`).
 * - **message**: the finished text and attachments of a run, with its addresses.
 * - **outcome**: how a run ended: `dispatched`, `discarded`, `errored`, `aborted`, `expired`.
 * - **settled**: a run that has an outcome.
 * - **dispatched**: its message is recorded in the ledger and given to delivery.
 * - **ledger**: remembers which messages were taken on, delivered, or are dead.
 * - **lease**: whose a taken message is, for as long as that process lives.
 * - **delivery**: calling the handler until it succeeds or gives up.
 * - **attempt**: one call of the handler.
 * - **dead letter**: a message whose delivery gave up; kept, listed, can be delivered anew.
 * - **lane**: the undelivered messages of one session, in order.
 * - **bookmark**: up to where a Gateway has been heard.
 * - **catch up**: find what ended while nobody listened.
 * - **recovered**: found so.
 * - **link**: the state of our connection to one Gateway.
 * - **alarm**: something a person should look at: the ledger is unsafe, a job is silent.
 *
 * @module
 */

import type { InboxError } from "./errors.ts";

/** What a `session` function reads from a session key, e.g. `{ agentId, userId, creativeId, topicId }`. */
export type Session = object;

/**
 * Where a run came from, as far as the wire says: docs/gateway.md tells by what. `"unknown"` is an
 * honest answer, not an error: without the rows of its session, nothing tells a named-session cron
 * run from an `agent` call of another client.
 */
export type Origin = "cron" | "heartbeat" | "announcement" | "injected" | "requested" | "unknown";

/** One finished message of one run. */
export interface ProactiveMessage<S extends Session = Session> {
  /** Idempotency key: the same for the same message on every host and at every attempt. 36 characters, `[A-Za-z0-9_-]`. */
  readonly id: string;
  /** The `name` of the Gateway it came from. */
  readonly gateway: string;
  /** The `owner` label of the source that the run's first event came from. */
  readonly owner?: string;
  /** The Gateway's name of the run; may hold colons and whole session keys. */
  readonly runId: string;
  /** The address of the conversation, as the Gateway writes it. */
  readonly sessionKey: string;
  /** The agent that spoke, where the Gateway tells it. */
  readonly agentId?: string;
  /** What the `session` option read from `sessionKey`; an empty object when there is no such option. */
  readonly session: S;
  /** The whole text. Empty only where the message is something else, such as an image. */
  readonly text: string;
  /** When the run's first event arrived, in ms since the epoch by this host's clock. */
  readonly startedAt: number;
  /** When the run's final arrived, in ms since the epoch by this host's clock. */
  readonly completedAt: number;
  /** The final came after the run had been given up (errored, aborted, expired or empty). */
  readonly late: boolean;
  /** It was found in the Gateway's history after an outage, not heard live. */
  readonly recovered: boolean;
  readonly origin: Origin;
  /** The cron job that spoke, where the Gateway tells it. */
  readonly job?: Job;
}

/** A cron job of a Gateway. */
export interface Job {
  readonly id: string;
  /** As its owner named it, at most 500 characters. */
  readonly name?: string;
}

/** Why a finished run was not handed over. */
export type DiscardReason = "empty" | "unroutable" | "solicited" | "subagent" | "declined" | "relocated";

/** What every outcome that is not a message tells about its run. `text` is what had been said until then. */
export interface UnsentRun {
  readonly gateway: string;
  readonly runId: string;
  readonly sessionKey?: string;
  readonly owner?: string;
  readonly text: string;
}

/** How a run ended. Every run that settles has exactly one; a late final adds a second, `dispatched`. */
export type RunOutcome<S extends Session = Session> =
  | { readonly status: "dispatched"; readonly message: ProactiveMessage<S> }
  | ({ readonly status: "discarded"; readonly reason: DiscardReason } & UnsentRun)
  | ({ readonly status: "errored"; readonly error: string; readonly errorKind?: string } & UnsentRun)
  | ({ readonly status: "aborted" | "expired" } & UnsentRun);

/** How the delivery of one message ended. */
export type DeliveryOutcome<S extends Session = Session> =
  | { readonly status: "delivered"; readonly message: ProactiveMessage<S>; readonly attempts: number }
  | {
      readonly status: "dead";
      readonly message: ProactiveMessage<S>;
      readonly attempts: number;
      /** The last attempt's error, as text. */
      readonly error: string;
    };

/** A run in `buffering`. */
export interface LiveRun {
  readonly runId: string;
  readonly gateway: string;
  readonly owner?: string;
  readonly sessionKey?: string;
  readonly text: string;
  /** When its first event arrived, in ms since the epoch by this host's clock. */
  readonly startedAt: number;
  /** When it is given up as `expired` unless it has ended by then, in ms since the epoch: `startedAt` and the option `ttlMs`. */
  readonly expiresAt: number;
}

/** What has come of a run so far: a view, not a copy, so that its values change with every event. */
export interface RunProgress {
  /** Counted from 1, in the order in which the inbox's runs began; a late final begins one anew. */
  readonly number: number;
  /** When its first event arrived, in ms since the epoch. */
  readonly startedAt: number;
  /** The deltas that it has taken. */
  readonly deltas: number;
  /** The length of its text; that of a final comes with the outcome. */
  readonly chars: number;
  /** The run as it is now, made anew at each call; undefined once it has settled. */
  live(): LiveRun | undefined;
}

/** Where a link stands. */
export type LinkState = "offline" | "connecting" | "recovering" | "live" | "paused";

/** The connection to one Gateway, as a host sees it. */
export interface LinkStatus {
  readonly gateway: string;
  readonly owner?: string;
  readonly state: LinkState;
  /** When `state` was reached, in ms since the epoch. */
  readonly since: number;
  /** Why it is offline or paused: a plain sentence, and for `paused` what to do about it. */
  readonly reason?: string;
  /** Nothing more will come from this source: it was closed, or its recording is over. */
  readonly ended: boolean;
}

/** Why a frame or an event could not be read. Counted as `rejected`. */
export type RejectReason =
  | "too-large"
  | "not-json"
  | "not-a-frame"
  | "no-run-id"
  | "bad-run-id"
  | "bad-id"
  | "bad-state";

/** A frame or an event that could not be read. Holds no text of it. */
export interface Rejection {
  readonly gateway: string;
  readonly reason: RejectReason;
  /** Size of the frame in characters or bytes, where it came as text. */
  readonly size?: number;
}

/** One chat event as the rest of the package sees it: read loosely, text already taken out of its blocks. */
export interface ChatEvent {
  readonly runId: string;
  /** `"status"`, `"delta"`, `"final"`, `"error"`, `"aborted"`, or a word this version does not know. */
  readonly state: string;
  /** The run's own counter. A delta and the final may share one; it starts over after a restart. */
  readonly seq?: number;
  readonly sessionKey?: string;
  readonly spawnedBy?: string;
  /** The new piece of text, or with `replace` the whole new text. */
  readonly deltaText?: string;
  readonly replace?: boolean;
  /** The text blocks of `message`, joined without a separator; absent when there is none, or when no agent said it. */
  readonly messageText?: string;
  /** `message` has something that is no text, such as an image. */
  readonly hasMedia?: boolean;
  /** `message` is a whole row of the transcript: so a Gateway tells what was not streamed. */
  readonly isRow?: boolean;
  /** The Gateway has cut the text for display: there is more of it. */
  readonly truncated?: boolean;
  /** The agent, where it is told. */
  readonly agentId?: string;
  readonly errorMessage?: string;
  readonly errorKind?: string;
  /** Made from the Gateway's history, not heard live. */
  readonly recovered?: boolean;
  /** What the row or event itself says of its origin. */
  readonly origin?: Origin;
  /** The cron job that it is of, as far as the row or event itself tells. */
  readonly job?: Job;
  /** When the row that it was made from was written, in ms since the epoch by the Gateway's clock. */
  readonly writtenAt?: number;
  /** Of a cron job that is bound to a conversation: its message is this one, at this address, or `"elsewhere"`. */
  readonly placed?: "here" | "elsewhere";
}

/** A chat event, and the Gateway and connection that it is from. */
export interface GatewayEvent {
  readonly gateway: string;
  readonly owner?: string;
  readonly event: ChatEvent;
}

/** The same with the time at which it came, in ms since the epoch by this host's clock. It is read once for each event. */
export interface HeardEvent extends GatewayEvent {
  readonly at: number;
}

/**
 * What a chat event did: `"taken"` to its run, dropped as a `"duplicate"`, too late because its run
 * had settled (`"after-end"`), or ignored for its `"unknown-state"`.
 */
export type EventEffect = "taken" | "duplicate" | "after-end" | "unknown-state";

/** What goes on in an inbox, as it happens: for those who want to watch. Holds message text. */
export type Activity =
  /** A run in `buffering` when the watching began: each of them comes first of all. */
  | { readonly kind: "joined"; readonly run: LiveRun; readonly progress: RunProgress }
  /** A chat event, before its run settles by it. `progress`: of the run that took it; undefined when none did. */
  | ({
      readonly kind: "event";
      readonly effect: EventEffect;
      readonly progress: RunProgress | undefined;
    } & HeardEvent)
  /** The handler is called, for the `attempt`-th time. */
  | { readonly kind: "attempt"; readonly message: ProactiveMessage; readonly attempt: number }
  /** That attempt failed, and another will follow in `delayMs`. */
  | {
      readonly kind: "retry";
      readonly message: ProactiveMessage;
      readonly attempt: number;
      readonly error: string;
      readonly delayMs: number;
    };

/** A part that is in trouble, or, without an error, is well again. */
export interface Alarm {
  readonly part: "ledger";
  readonly error?: InboxError;
}

/** A pino-shaped logger: any pino instance fits. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}
