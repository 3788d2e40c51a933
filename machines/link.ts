import { assign, setup } from "xstate";

/**
 * What happens to a link. `reason` is a plain sentence for a person. `code` says the same to a program: the Gateway's
 * word (`PAIRING_REQUIRED`), Node's (`ECONNREFUSED`), `HTTP_403`, or one of ours (`NO_READ_SCOPE`).
 */
export type LinkEvent =
  /** The source starts to connect. */
  | { readonly type: "connect" }
  /** The Gateway accepted us. `hello` is its `hello-ok` payload; absent when the source has none. */
  | { readonly type: "hello"; readonly hello?: object }
  /** What was missed has been caught up. */
  | { readonly type: "recovered" }
  /** The connection was lost or could not be made. The source tries again by itself. */
  | { readonly type: "lost"; readonly reason: string; readonly code?: string }
  /** The Gateway refuses us until a person fixes something. */
  | { readonly type: "refused"; readonly reason: string; readonly code?: string }
  /** This source will send nothing more: it was closed, or its recording is over. */
  | { readonly type: "ended"; readonly reason: string };

export interface LinkContext {
  readonly gateway: string;
  /** Why it is offline or paused. */
  readonly reason: string | undefined;
  /** This source will send nothing more. */
  readonly ended: boolean;
}

/** The connection to one Gateway. */
export const linkMachine = setup({
  types: {
    context: {} as LinkContext,
    input: {} as { readonly gateway: string } | undefined,
    events: {} as LinkEvent,
  },
  actions: {
    explain: assign({
      reason: ({ event }) => ("reason" in event ? event.reason : undefined),
      ended: ({ event }) => event.type === "ended",
    }),
  },
}).createMachine({
  id: "link",
  description: "The connection to one Gateway, from the first attempt to the end.",
  context: ({ input }) => ({ gateway: input?.gateway ?? "default", reason: undefined, ended: false }),
  initial: "offline",
  on: {
    ended: { target: ".offline", actions: "explain", description: "The source was closed, or its recording is over." },
  },
  states: {
    offline: {
      description: "No connection. The source tries again by itself, or has not been opened yet.",
      on: {
        connect: { target: "connecting", description: "The source starts an attempt." },
        lost: { actions: "explain", description: "Another attempt failed." },
        refused: { target: "paused", actions: "explain" },
      },
    },
    connecting: {
      description: "The socket is opening, or the Gateway is checking who we are.",
      on: {
        hello: { target: "recovering", actions: "explain", description: "The Gateway accepted us." },
        lost: { target: "offline", actions: "explain", description: "The attempt failed." },
        refused: { target: "paused", actions: "explain", description: "Wrong token, pairing needed, wrong protocol." },
      },
    },
    recovering: {
      description: "Connected. Events arrive, and what was missed is being caught up.",
      on: {
        recovered: { target: "live", description: "What was missed has been caught up." },
        lost: { target: "offline", actions: "explain" },
        refused: { target: "paused", actions: "explain" },
      },
    },
    live: {
      description: "Connected and caught up.",
      on: {
        lost: { target: "offline", actions: "explain" },
        refused: { target: "paused", actions: "explain" },
      },
    },
    paused: {
      description: "The Gateway refuses us. A person must fix something and start again.",
      on: {
        connect: { target: "connecting", description: "A person fixed it and asks for another try." },
      },
    },
  },
});
