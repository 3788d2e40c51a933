import { filter, groupBy, map, mergeMap, Subject, tap } from "rxjs";
import { createActor, sendTo, setup, spawnChild, stopChild } from "xstate";
import { type RunEvent, type RunInput, type RunOutput, runMachine } from "../machines/run.ts";
import { systemClock } from "../src/kit/clock.ts";
import { messageText } from "../src/protocol/text.ts";
import type { Rival, Said } from "./rival.ts";

interface Payload {
  readonly runId: string;
  readonly sessionKey: string;
  readonly state: string;
  readonly message?: unknown;
}

interface Frame {
  readonly type: string;
  readonly event: string;
  readonly payload: Payload;
}

interface Begin {
  readonly type: "begin";
  readonly input: RunInput;
}

interface BeginMany {
  readonly type: "beginMany";
  readonly inputs: readonly RunInput[];
}

type SupervisorEvent =
  | Begin
  | BeginMany
  | { readonly type: "tell"; readonly runId: string; readonly event: RunEvent }
  | { readonly type: "xstate.done.actor.*"; readonly actorId: string; readonly output: RunOutput };

/** A parent as the XState documentation suggests: it spawns a child for each run and stops it when it is done. */
function createParent(onOutput: (output: RunOutput) => void) {
  const { assign, createMachine } = setup({
    types: { events: {} as SupervisorEvent },
    actors: { run: runMachine },
  });
  return createMachine({
    id: "supervisor",
    on: {
      begin: {
        actions: spawnChild("run", {
          id: ({ event }) => (event as Begin).input.runId,
          input: ({ event }) => (event as Begin).input,
        }),
      },
      // Only for the bench: it begins thousands of children in one step. One by one would take minutes or hours.
      beginMany: {
        actions: assign(({ spawn, event }) => {
          for (const input of (event as BeginMany).inputs) spawn("run", { id: input.runId, input });
          return {};
        }),
      },
      tell: {
        actions: sendTo(
          ({ event }) => event.runId,
          ({ event }) => event.event,
        ),
      },
      "xstate.done.actor.*": {
        actions: [({ event }) => onOutput(event.output), stopChild(({ event }) => event.actorId)],
      },
    },
  });
}

/** The usual code: an XState parent with `spawnChild`, fed by a `groupBy` over the parsed frames. */
export function createIdiomatic(): Rival {
  let said: Said[] = [];
  const parent = createActor(
    createParent(({ runId, text }) => said.push({ runId, text })),
    { clock: systemClock },
  ).start();
  const frames = new Subject<string>();
  const inputOf = (runId: string): RunInput => ({
    runId,
    gateway: "default",
    startedAt: Date.now(),
    ttlMs: 1_800_000,
  });

  const subscription = frames
    .pipe(
      map((data) => JSON.parse(data) as Frame),
      filter(({ type, event }) => type === "event" && event === "chat"),
      map(({ payload }) => payload),
      groupBy(({ runId }) => runId, { duration: (run$) => run$.pipe(filter(({ state }) => state === "final")) }),
      mergeMap((run$) => {
        if (parent.getSnapshot().children[run$.key] === undefined)
          parent.send({ type: "begin", input: inputOf(run$.key) });
        return run$.pipe(
          tap((payload) => {
            parent.send({ type: "tell", runId: payload.runId, event: toEvent(payload) });
          }),
        );
      }),
    )
    .subscribe();

  return {
    take: (frame) => frames.next(frame),
    beginMany: (runIds) => parent.send({ type: "beginMany", inputs: runIds.map(inputOf) }),
    messages: () => {
      const messages = said;
      said = [];
      return messages;
    },
    close() {
      subscription.unsubscribe();
      parent.stop();
    },
  };
}

function toEvent({ state, message, sessionKey }: Payload): RunEvent {
  const text = messageText(message) ?? "";
  return state === "final" ? { type: "final", text, sessionKey } : { type: "delta", text, sessionKey };
}
