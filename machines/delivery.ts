import { assertEvent, assign, emit, setup } from "xstate";
import { exponential } from "../src/kit/backoff.ts";

/** How often and how fast a message is tried. */
export interface DeliveryInput {
  /** The most attempts there may be, counting the first. At least 1. */
  readonly maxAttempts: number;
  /** The upper bound of the first wait, in ms. The bound doubles with each attempt. */
  readonly firstDelayMs: number;
  /** The upper bound of every wait, in ms. Only a longer wait that the receiver asks for goes beyond it. */
  readonly maxDelayMs: number;
  /** Attempts made before this actor was created. Default 0. */
  readonly attempts?: number | undefined;
}

export interface DeliveryContext extends DeliveryInput {
  /** Attempts begun so far. It is 1 during the first attempt. */
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
      /** Another attempt cannot help. */
      readonly permanent?: boolean | undefined;
      /** The receiver asks to wait at least this many ms. */
      readonly retryAfterMs?: number | undefined;
      /** A number in [0, 1) that spreads the waits (full jitter). */
      readonly jitter: number;
    };

/** What the actor emits. The code that calls the handler listens with `actor.on`. */
export type DeliveryEmitted =
  /** The message is due: call the handler. `attempt` counts from 1. */
  | { readonly type: "attempt"; readonly attempt: number }
  /** The attempt failed. `attempts` have been made so far, and the next follows in `delayMs`. */
  | { readonly type: "retry"; readonly attempts: number; readonly delayMs: number };

export interface DeliveryOutput {
  readonly status: "delivered" | "dead";
  readonly attempts: number;
  readonly error: string | undefined;
}

/** Exponential backoff with full jitter: a random wait between 0 and the doubled bound, which is capped. */
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

/**
 * One message on its way to the handler. The machine does no I/O: the code that runs the actor calls the handler and
 * reports the result.
 */
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
  description: "One message: the handler is called until it succeeds or delivery gives up.",
  // The machine also starts without input: drawings and tests of the machine need that.
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
      description: "The handler is running, or will be called as soon as there is room.",
      entry: ["countAttempt", "tellAttempt"],
      on: {
        succeeded: { target: "delivered", description: "The handler succeeded." },
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
      description: "Waiting for the next attempt. Later messages of the session wait, too.",
      entry: "tellRetry",
      after: { backoff: { target: "attempting", description: "Time for the next attempt." } },
    },
    delivered: { type: "final", description: "The handler succeeded.", output: output("delivered") },
    dead: {
      type: "final",
      description: "Given up: a dead letter, which can be delivered again.",
      output: output("dead"),
    },
  },
  output: ({ event }) => event.output as DeliveryOutput,
});
