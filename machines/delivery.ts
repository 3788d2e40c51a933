import { assertEvent, assign, emit, setup } from "xstate";
import { exponential } from "../src/kit/backoff.ts";

/** How a message's attempts are spaced. */
export interface DeliveryInput {
  /** How many attempts in all, at least 1. */
  readonly maxAttempts: number;
  /** The longest the first wait can be, in ms; it doubles with each attempt. */
  readonly firstDelayMs: number;
  /** No wait is longer, in ms, unless the receiver asks for it. */
  readonly maxDelayMs: number;
  /** Attempts made before this actor was created. Default 0. */
  readonly attempts?: number | undefined;
}

export interface DeliveryContext extends DeliveryInput {
  /** Attempts begun so far; counts from 1 while attempting. */
  readonly attempts: number;
  /** The wait before the next attempt, in ms. */
  readonly delayMs: number;
  readonly error: string | undefined;
}

export type DeliveryEvent =
  | { readonly type: "succeeded" }
  | {
      readonly type: "failed";
      readonly error: string;
      /** No retry can help. */
      readonly permanent?: boolean | undefined;
      /** The receiver asks not to be tried again before this many ms. */
      readonly retryAfterMs?: number | undefined;
      /** A number in [0, 1) that spreads the waits: full jitter. */
      readonly jitter: number;
    };

/** What an actor tells whoever calls the handler, by `actor.on`. */
export type DeliveryEmitted =
  /** The message is due: call the handler, for the `attempt`-th time. */
  | { readonly type: "attempt"; readonly attempt: number }
  /** The last of `attempts` failed; another follows in `delayMs`. */
  | { readonly type: "retry"; readonly attempts: number; readonly delayMs: number };

export interface DeliveryOutput {
  readonly status: "delivered" | "dead";
  readonly attempts: number;
  readonly error: string | undefined;
}

/** Exponential backoff with full jitter: anything between 0 and the doubled delay, capped. */
function backoffMs({ attempts, firstDelayMs, maxDelayMs }: DeliveryContext, jitter: number): number {
  return Math.round(exponential(firstDelayMs, maxDelayMs)(attempts) * jitter);
}

function output(status: DeliveryOutput["status"]) {
  return ({ context: { attempts, error } }: { context: DeliveryContext }): DeliveryOutput => ({
    status,
    attempts,
    error,
  });
}

/** One message on its way to the handler. Pure: whoever runs the actor calls the handler and reports how it went. */
export const deliveryMachine = setup({
  types: {
    context: {} as DeliveryContext,
    input: {} as DeliveryInput | undefined,
    events: {} as DeliveryEvent,
    emitted: {} as DeliveryEmitted,
    output: {} as DeliveryOutput,
  },
  delays: {
    backoff: ({ context }) => context.delayMs,
  },
  guards: {
    hopeless: ({ context, event }) => {
      assertEvent(event, "failed");
      return event.permanent === true || context.attempts >= context.maxAttempts;
    },
  },
  actions: {
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    tellAttempt: emit(({ context }) => ({ type: "attempt", attempt: context.attempts })),
    tellRetry: emit(({ context: { attempts, delayMs } }) => ({ type: "retry", attempts, delayMs })),
    noteError: assign(({ event }) => {
      assertEvent(event, "failed");
      return { error: event.error };
    }),
    planRetry: assign(({ context, event }) => {
      assertEvent(event, "failed");
      return { delayMs: Math.max(event.retryAfterMs ?? 0, backoffMs(context, event.jitter)) };
    }),
  },
}).createMachine({
  id: "delivery",
  description: "One message on its way to the handler: tried until it succeeds or gives up.",
  // Without input it still runs, for drawings and tests of the machine alone.
  context: ({ input }) => ({
    maxAttempts: input?.maxAttempts ?? 10,
    firstDelayMs: input?.firstDelayMs ?? 1_000,
    maxDelayMs: input?.maxDelayMs ?? 300_000,
    attempts: input?.attempts ?? 0,
    delayMs: 0,
    error: undefined,
  }),
  initial: "attempting",
  states: {
    attempting: {
      description: "The handler has the message, or gets it as soon as there is room.",
      entry: ["countAttempt", "tellAttempt"],
      on: {
        succeeded: { target: "delivered", description: "The handler took it." },
        failed: [
          {
            guard: "hopeless",
            target: "dead",
            actions: "noteError",
            description: "A permanent error, or the last attempt.",
          },
          { target: "waiting", actions: ["noteError", "planRetry"], description: "Worth another attempt." },
        ],
      },
    },
    waiting: {
      description: "Waiting out the backoff; the session's later messages wait behind it.",
      entry: "tellRetry",
      after: { backoff: { target: "attempting", description: "Time for the next attempt." } },
    },
    delivered: { type: "final", description: "The handler succeeded.", output: output("delivered") },
    dead: { type: "final", description: "Given up: a dead letter, kept and replayable.", output: output("dead") },
  },
  output: ({ event }) => event.output as DeliveryOutput,
});
