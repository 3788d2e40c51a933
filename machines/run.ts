import { assertEvent, assign, setup } from "xstate";
import type { Attachment, DiscardReason, ProactiveMessage } from "../src/types.ts";

/** What is known of a run when its first event arrives. */
export interface RunInput {
  readonly runId: string;
  readonly gateway: string;
  readonly owner?: string | undefined;
  readonly sessionKey?: string | undefined;
  /** When the first event arrived, in ms since the epoch. */
  readonly startedAt: number;
  /** How long the run may stay in `buffering`, in ms from its first event. */
  readonly ttlMs: number;
}

/** What a run remembers. */
export interface RunContext {
  readonly runId: string;
  readonly gateway: string;
  readonly owner: string | undefined;
  readonly sessionKey: string | undefined;
  readonly startedAt: number;
  readonly ttlMs: number;
  /** The text so far. The sender of the events assembles it. */
  readonly text: string;
  /** The message to deliver, once the run is complete. */
  readonly message: ProactiveMessage | undefined;
  readonly reason: DiscardReason | undefined;
  /** What its final had besides text. */
  readonly attachments: readonly Attachment[] | undefined;
  /** The error as the host is told it. It may be the agent's words. */
  readonly error: string | undefined;
  /** The error in words that may be logged: the Gateway's or this package's, never the agent's. */
  readonly cause: string | undefined;
  readonly errorKind: string | undefined;
}

/** What happens to a run. `text` is always the whole text so far, never a piece. */
export type RunEvent =
  | { readonly type: "delta"; readonly text: string; readonly sessionKey?: string | undefined }
  /**
   * The agent is done. `text` is the final's own text. `message` is what will be delivered; `discard` says why nothing
   * will be.
   */
  | {
      readonly type: "final";
      readonly text?: string | undefined;
      readonly sessionKey?: string | undefined;
      readonly message?: ProactiveMessage | undefined;
      readonly discard?: DiscardReason | undefined;
      /** What it has besides text. With an attachment the final is not empty. */
      readonly attachments?: readonly Attachment[] | undefined;
    }
  /** The agent failed. `error` is the Gateway's reason, `text` what the agent had said. */
  | {
      readonly type: "error";
      readonly error?: string | undefined;
      readonly errorKind?: string | undefined;
      readonly text?: string | undefined;
    }
  | { readonly type: "aborted"; readonly text?: string | undefined }
  /** The run turned out not to be ours before it ended. */
  | { readonly type: "discard"; readonly reason: DiscardReason };

/** How a run ended, as its actor's output. */
export interface RunOutput extends Omit<RunContext, "ttlMs"> {
  readonly status: "dispatched" | "discarded" | "errored" | "aborted" | "expired";
}

function output(status: RunOutput["status"]) {
  return ({ context: { ttlMs: _, ...rest } }: { context: RunContext }): RunOutput => ({ status, ...rest });
}

/** The whole text of a run at its final: the final's own text, unless that is blank; else the buffered text. */
export function finalText(context: Pick<RunContext, "text">, text: string | undefined): string {
  return text !== undefined && text.trim() !== "" ? text : context.text;
}

/**
 * One run: one turn of an agent, from its first event to its end. The machine does no I/O and reads no clock. The code
 * that reads the actor's output decides what happens with the message.
 */
export const runMachine = setup({
  types: {
    context: {} as RunContext,
    input: {} as RunInput | undefined,
    events: {} as RunEvent,
    output: {} as RunOutput,
  },
  delays: {
    ttl: ({ context }) => context.ttlMs,
  },
  guards: {
    blank: ({ context, event }) =>
      event.type === "final" && !event.attachments?.length && finalText(context, event.text).trim() === "",
    notOurs: ({ event }) => event.type === "final" && event.discard !== undefined,
  },
  actions: {
    buffer: assign(({ context, event }) => {
      // Called for each delta. `assertEvent` would cost more than the rest of this function.
      if (event.type !== "delta") return {};
      return { text: event.text, sessionKey: context.sessionKey ?? event.sessionKey };
    }),
    complete: assign(({ context, event }) => {
      assertEvent(event, "final");
      return {
        text: finalText(context, event.text),
        sessionKey: event.sessionKey ?? context.sessionKey,
        message: event.message,
        reason: event.discard,
        attachments: event.attachments,
      };
    }),
    declareEmpty: assign({ reason: "empty" }),
    giveReason: assign(({ event }) => {
      assertEvent(event, "discard");
      return { reason: event.reason };
    }),
    giveError: assign(({ context, event }) => {
      assertEvent(event, "error");
      const { error: cause, errorKind, text } = event;
      // When the Gateway gives no reason, the text of the event is the reason. Otherwise that text is what the agent
      // said.
      if (cause === undefined) return { error: text ?? "Unknown error", errorKind, text: context.text || (text ?? "") };
      return { error: cause, cause, errorKind, text: text ?? context.text };
    }),
    keepPartialText: assign(({ context, event }) => {
      assertEvent(event, "aborted");
      return { text: event.text ?? context.text };
    }),
  },
}).createMachine({
  id: "run",
  description: "One turn of an agent: its text is buffered until the Gateway says how it ended.",
  // The machine also starts without input: drawings and tests of the machine need that.
  context: ({ input }) => ({
    runId: input?.runId ?? "",
    gateway: input?.gateway ?? "default",
    owner: input?.owner,
    sessionKey: input?.sessionKey,
    startedAt: input?.startedAt ?? 0,
    ttlMs: input?.ttlMs ?? 1_800_000,
    text: "",
    message: undefined,
    reason: undefined,
    attachments: undefined,
    error: undefined,
    cause: undefined,
    errorKind: undefined,
  }),
  initial: "buffering",
  states: {
    buffering: {
      description: "The agent speaks, thinks, or is being retried. It may be silent for minutes.",
      on: {
        delta: { actions: "buffer", description: "The text so far has changed." },
        final: [
          {
            guard: "blank",
            target: "discarded",
            actions: ["complete", "declareEmpty"],
            description: "Nothing to say.",
          },
          { guard: "notOurs", target: "discarded", actions: "complete", description: "Not for this host." },
          { target: "dispatched", actions: "complete", description: "The message is complete." },
        ],
        error: { target: "errored", actions: "giveError", description: "The agent failed." },
        aborted: { target: "aborted", actions: "keepPartialText", description: "Somebody stopped the agent." },
        discard: {
          target: "discarded",
          actions: "giveReason",
          description: "This host asked for it, or it is internal.",
        },
      },
      after: {
        ttl: { target: "expired", description: "The Gateway never said how it ended." },
      },
    },
    dispatched: {
      type: "final",
      description: "The message is complete and will be delivered.",
      output: output("dispatched"),
    },
    discarded: {
      type: "final",
      description: "Ended without a message; `reason` says why.",
      output: output("discarded"),
    },
    errored: {
      type: "final",
      description: "The agent failed. The outcome has the partial text.",
      output: output("errored"),
    },
    aborted: {
      type: "final",
      description: "Somebody stopped the agent. The outcome has the partial text.",
      output: output("aborted"),
    },
    expired: {
      type: "final",
      description: "Given up after the TTL. The outcome has the partial text.",
      output: output("expired"),
    },
  },
  output: ({ event }) => event.output as RunOutput,
});
