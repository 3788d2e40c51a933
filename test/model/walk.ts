import { TestModel as BetaTestModel } from "@xstate/test";
import { describe, expect, it } from "vitest";
import { type AnyStateMachine, createActor, SimulatedClock } from "xstate";
import { TestModel } from "xstate/graph";

/** What a walk over a machine needs to know; `transitions` is written by hand, from the design, not from the machine. */
export interface Walk {
  readonly machine: AnyStateMachine;
  readonly input: object;
  /** Every event that is tried in every state. */
  readonly events: readonly { readonly type: string }[];
  /** How long each `after` step takes, by its event type; the clock is moved, the event is never sent. */
  readonly afterMs: Readonly<Record<string, number>>;
  /** Every transition there is, as `from event to`; an event that changes no state is not listed. */
  readonly transitions: readonly string[];
}

interface Step {
  readonly event: { readonly type: string };
  readonly state: unknown;
}

interface Path {
  readonly steps: readonly Step[];
  test(params: object): Promise<unknown>;
}

interface Model {
  getShortestPaths(): Path[];
  getSimplePaths(): Path[];
}

const stateOf = (snapshot: unknown) => String((snapshot as { value: unknown }).value);

/** Walks every shortest and every simple path of `walk.machine`, with both editions of the model tester. */
export function describeWalks(name: string, walk: Walk): void {
  const after = Object.keys(walk.afterMs).map((type) => ({ type }));
  const options = { events: [...walk.events, ...after], input: walk.input, logger: { log() {}, error() {} } };
  // Both take any actor logic, `after` and all; their types only know their own XState.
  const models: [string, Model][] = [
    ["xstate/graph", new TestModel(walk.machine as never, options as never) as unknown as Model],
    ["@xstate/test", new BetaTestModel(forBeta(walk) as never, options as never) as unknown as Model],
  ];
  for (const [edition, model] of models) {
    describe(`${name}, by ${edition}`, () => {
      for (const kind of ["shortest", "simple"] as const) {
        const paths = kind === "shortest" ? model.getShortestPaths() : model.getSimplePaths();
        it(`holds on each of the ${paths.length} ${kind} paths`, async () => {
          expect(paths.length).toBeGreaterThan(0);
          for (const path of paths) await path.test(onRealActor(walk));
        });
      }
      it("has exactly the transitions of the design", () => {
        const walked = model
          .getSimplePaths()
          .flatMap(({ steps }) => steps.flatMap((step, i) => transition(steps[i - 1], step)));
        expect([...new Set(walked)].sort()).toEqual([...walk.transitions].sort());
      });
    });
  }
}

/**
 * The beta was written for XState 5.5: it knows no input, and its stand-in for an actor cannot set the
 * timer of an `after` that is entered by a transition. Nothing of the machine itself is changed.
 */
function forBeta({ machine, input }: Walk): AnyStateMachine {
  const timerless = (scope: object) => ({ ...scope, actionExecutor() {} }) as never;
  return Object.create(machine, {
    getInitialSnapshot: { value: (scope: object) => machine.getInitialSnapshot(timerless(scope), input) },
    transition: {
      value: (snapshot: never, event: never, scope: object) => machine.transition(snapshot, event, timerless(scope)),
    },
  });
}

function transition(before: Step | undefined, { event, state }: Step): string[] {
  if (before === undefined || stateOf(before.state) === stateOf(state)) return [];
  return [`${stateOf(before.state)} ${event.type} ${stateOf(state)}`];
}

/** A fresh actor of the machine on a simulated clock; each step is done to it, each state compared with it. */
function onRealActor({ machine, input, events, afterMs }: Walk): object {
  const clock = new SimulatedClock();
  const actor = createActor(machine, { clock, input }).start();
  const doStep: Record<string, (step: Step) => void> = {};
  for (const { type } of events) doStep[type] = ({ event }) => actor.send(event);
  for (const [type, ms] of Object.entries(afterMs)) {
    doStep[type] = () => {
      const before = actor.getSnapshot().value;
      clock.increment(ms - 1);
      expect(actor.getSnapshot().value, `${type} must not fire before its time`).toEqual(before);
      clock.increment(1);
    };
  }
  return {
    events: doStep,
    states: {
      "*": (expected: { value: unknown; context: unknown; output: unknown }) => {
        const { value, context, output } = actor.getSnapshot();
        expect({ value, context, output }).toEqual({
          value: expected.value,
          context: expected.context,
          output: expected.output,
        });
      },
    },
  };
}
