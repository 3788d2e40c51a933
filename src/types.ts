/**
 * The words of this package: one word for each concept, one concept for each word.
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
 * - **dispatched**: the run's message is recorded in the ledger and given to delivery.
 * - **ledger**: remembers which messages are taken, delivered, or dead.
 * - **lease**: says which inbox owns a taken message, as long as its process lives.
 * - **delivery**: calling the handler until it succeeds or gives up.
 * - **attempt**: one call of the handler.
 * - **dead letter**: a message whose delivery gave up. It is kept and listed, and can be delivered again.
 * - **lane**: the undelivered messages of one session, in order.
 * - **bookmark**: how far a Gateway has been heard.
 * - **catch up**: find what ended while nobody listened.
 * - **recovered**: found by catching up.
 * - **link**: the state of our connection to one Gateway.
 * - **alarm**: something a person should look at: the ledger is unsafe, a job is silent.
 *
 * @module
 */

import type { InboxError } from "./errors.ts";

/** What a `session` function reads from a session key, e.g. `{ agentId, userId, creativeId, topicId }`. */
export type Session = object;

/**
 * Where a run came from, as far as the wire says; docs/gateway.md explains how it is known. `"unknown"` is not an
 * error. Without the rows of its session, a cron run in a named session looks like an `agent` call of another client.
 */
export type Origin = "cron" | "heartbeat" | "announcement" | "injected" | "requested" | "unknown";

/** Something besides text that an agent said: an image, a file, a recording. Its bytes stay with the Gateway. */
export interface Attachment {
  /**
   * The id for `inbox.download()`, valid now and later. Absent when the Gateway does not serve the file: then the agent
   * has only named it.
   */
  readonly id?: string;
  /** `"other"`: something that is not a file, such as a canvas. */
  readonly kind: "image" | "audio" | "video" | "file" | "other";
  /** The file's name, without a path; at most 255 characters. */
  readonly name?: string;
  /** Its media type, e.g. `"image/png"`; absent when unknown. */
  readonly type?: string;
  /** Its size in bytes; absent when unknown. */
  readonly size?: number;
}

/** One finished message of one run. */
export interface ProactiveMessage<S extends Session = Session> {
  /**
   * The idempotency key. The same message has the same id on every host and at every attempt. 36 characters of
   * `[A-Za-z0-9_-]`.
   */
  readonly id: string;
  /** The `name` of the Gateway it came from. */
  readonly gateway: string;
  /** The `owner` label of the source that the run's first event came from. */
  readonly owner?: string;
  /** The Gateway's name for the run. It may hold colons and whole session keys. */
  readonly runId: string;
  /** The address of the conversation, as the Gateway writes it. */
  readonly sessionKey: string;
  /** The agent that spoke; absent when the Gateway does not say it. */
  readonly agentId?: string;
  /** What the `session` option made of `sessionKey`. An empty object without that option. */
  readonly session: S;
  /** The whole text. It is empty only when there are attachments. */
  readonly text: string;
  /** What the agent said besides text, at most 100 attachments. May be empty. */
  readonly attachments: readonly Attachment[];
  /** When the run's first event arrived, in ms since the epoch by this host's clock. */
  readonly startedAt: number;
  /** When the run's final arrived, in ms since the epoch by this host's clock. */
  readonly completedAt: number;
  /** The final came after the run had errored, aborted, expired or been empty. */
  readonly late: boolean;
  /** It was found in the Gateway's history after an outage and not heard live. */
  readonly recovered: boolean;
  readonly origin: Origin;
  /** The cron job that spoke; absent when the Gateway does not say it. */
  readonly job?: Job;
}

/** A cron job of a Gateway. */
export interface Job {
  readonly id: string;
  /** As its owner named it, at most 500 characters. */
  readonly name?: string;
}

/** Why a finished run was not dispatched. */
export type DiscardReason = "empty" | "unroutable" | "solicited" | "subagent" | "declined" | "relocated";

/** What every outcome without a message says about its run. `text` is what the agent had said until then. */
export interface UnsentRun {
  readonly gateway: string;
  readonly runId: string;
  readonly sessionKey?: string;
  readonly owner?: string;
  /** Where it came from, as far as that was known when it ended. */
  readonly origin: Origin;
  /** When the run's first event arrived, in ms since the epoch by this host's clock. */
  readonly startedAt: number;
  readonly text: string;
  /** What its final had besides text; absent when it had nothing. */
  readonly attachments?: readonly Attachment[];
}

/** How a run ended. Every settled run has exactly one outcome. A late final adds a second one, `dispatched`. */
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
  /** When the run expires, in ms since the epoch: `startedAt` plus the option `ttlMs`. */
  readonly expiresAt: number;
}

/** The progress of a run. It is a view and not a copy: its values change with every event. */
export interface RunProgress {
  /** Counts from 1, in the order in which the inbox's runs began. A late final gets a new number. */
  readonly number: number;
  /** When its first event arrived, in ms since the epoch. */
  readonly startedAt: number;
  /** How many deltas were applied. */
  readonly deltas: number;
  /** The length of the text so far. For the final's text, see the outcome. */
  readonly chars: number;
  /** The run as it is now; a new object at each call. Undefined once the run has settled. */
  live(): LiveRun | undefined;
}

/** The state of a link. */
export type LinkState = "offline" | "connecting" | "recovering" | "live" | "paused";

/** The connection to one Gateway. */
export interface LinkStatus {
  readonly gateway: string;
  readonly owner?: string;
  readonly state: LinkState;
  /** When `state` was reached, in ms since the epoch. */
  readonly since: number;
  /** Why it is offline or paused, as a plain sentence. For `paused` it also says what to do. */
  readonly reason?: string;
  /** This source will send nothing more: it was closed, or its recording is over. */
  readonly ended: boolean;
}

/** Why a frame or an event could not be read. It is counted as `rejected`. */
export type RejectReason =
  | "too-large"
  | "not-json"
  | "not-a-frame"
  | "no-run-id"
  | "bad-run-id"
  | "bad-id"
  | "bad-state";

/** A frame or an event that could not be read. Its text is not included. */
export interface Rejection {
  readonly gateway: string;
  readonly reason: RejectReason;
  /** The size of the frame in characters or bytes, if it came as text. */
  readonly size?: number;
}

/** One chat event after reading. Reading is loose, and the text has been taken out of its blocks. */
export interface ChatEvent {
  readonly runId: string;
  /** `"status"`, `"delta"`, `"final"`, `"error"`, `"aborted"`, or a word that this version does not know. */
  readonly state: string;
  /** The run's own counter. A delta and the final may share a number. It starts over after a Gateway restart. */
  readonly seq?: number;
  readonly sessionKey?: string;
  readonly spawnedBy?: string;
  /** The new piece of text, or with `replace` the whole new text. */
  readonly deltaText?: string;
  readonly replace?: boolean;
  /**
   * The text blocks of `message`, joined without a separator. Absent when there is no text, or when it is not an
   * agent's.
   */
  readonly messageText?: string;
  /** What `message` has besides text, such as an image. Absent when there is nothing, or it is unknown. */
  readonly attachments?: readonly Attachment[];
  /** `message` is a whole row of the transcript. The Gateway sends one when the text was not streamed. */
  readonly isRow?: boolean;
  /** The Gateway has cut the text for display; there is more of it. */
  readonly truncated?: boolean;
  /** The agent; absent when the Gateway does not say it. */
  readonly agentId?: string;
  readonly errorMessage?: string;
  readonly errorKind?: string;
  /** Made from the Gateway's history, not heard live. */
  readonly recovered?: boolean;
  /** The origin that the row or event itself names. */
  readonly origin?: Origin;
  /** The cron job it belongs to, as far as the row or event itself says. */
  readonly job?: Job;
  /**
   * When its row was written, in ms since the epoch by the Gateway's clock. Only on events made from a row, and on finals
   * that the Gateway wrote itself.
   */
  readonly writtenAt?: number;
  /**
   * Set for a cron job that is bound to a conversation. `"here"`: this is its message. `"elsewhere"`: its message comes
   * from another run.
   */
  readonly placed?: "here" | "elsewhere";
}

/** A chat event with its Gateway and connection. */
export interface GatewayEvent {
  readonly gateway: string;
  readonly owner?: string;
  readonly event: ChatEvent;
}

/**
 * The same with the time at which it came, in ms since the epoch by this host's clock. The clock is read once for each
 * event.
 */
export interface HeardEvent extends GatewayEvent {
  readonly at: number;
}

/**
 * What a chat event did. `"taken"`: it changed its run. `"duplicate"`: it was dropped as a repeat. `"after-end"`: its
 * run had settled already. `"unknown-state"`: its state is unknown, so it was ignored.
 */
export type EventEffect = "taken" | "duplicate" | "after-end" | "unknown-state";

/** What happens in an inbox, for watching. It holds message text. */
export type Activity =
  /** A run that was in `buffering` when the subscription began. These come first. */
  | { readonly kind: "joined"; readonly run: LiveRun; readonly progress: RunProgress }
  /**
   * A message that was being delivered when the subscription began. These come next. With `nextAt`, in ms since the
   * epoch, that attempt failed, and the next follows then. Without it the handler is being called.
   */
  | {
      readonly kind: "delivering";
      readonly message: ProactiveMessage;
      readonly attempt: number;
      readonly error?: string;
      readonly nextAt?: number;
    }
  /**
   * A chat event, reported before its run settles. `progress` is that of the run it changed; undefined when there is
   * none.
   */
  | ({
      readonly kind: "event";
      readonly effect: EventEffect;
      readonly progress: RunProgress | undefined;
    } & HeardEvent)
  /** The handler is called. `attempt` counts from 1. */
  | { readonly kind: "attempt"; readonly message: ProactiveMessage; readonly attempt: number }
  /** That attempt failed. The next follows in `delayMs`. */
  | {
      readonly kind: "retry";
      readonly message: ProactiveMessage;
      readonly attempt: number;
      readonly error: string;
      readonly delayMs: number;
    };

/** Something a person should look at. With an `error` there is a problem; without one, the problem is over. */
export type Alarm =
  /** Messages cannot be written to the ledger (`ERR_INBOX_LEDGER`), or can be written again. */
  | { readonly part: "ledger"; readonly error?: InboxError }
  /**
   * A cron job was due and nothing came: no words, no token of silence, no failure (`ERR_INBOX_JOB`). Without an error it
   * is heard again.
   */
  | {
      readonly part: "job";
      /** The `name` of the Gateway that has the job. */
      readonly gateway: string;
      /** The job's id. */
      readonly job: string;
      /** The job's name, at most 500 characters; absent without one. */
      readonly name?: string;
      /** When it should have spoken, in ms since the epoch by the Gateway's clock. */
      readonly due: number;
      /**
       * What the Gateway says about that run; absent when it says nothing. `status` is the Gateway's word: `ok`,
       * `error`, `skipped`. `delivery` says what happened to words for a channel: `delivered`, `not-delivered`,
       * `not-requested`, `unknown`. `reason` is the Gateway's words, at most 500 characters.
       */
      readonly claimed?: {
        readonly status: string;
        readonly ranMs?: number;
        readonly delivery?: string;
        readonly reason?: string;
      };
      readonly error?: InboxError;
    };

/** An alarm about a cron job. */
export type JobAlarm = Extract<Alarm, { part: "job" }>;

/** A logger with pino's methods. Any pino instance fits. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}
