import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnyActorRef, assign, createActor, type SnapshotFrom, setup } from "xstate";
import { deliveryMachine } from "../../machines/delivery.ts";
import { type RunEvent, runMachine } from "../../machines/run.ts";
import { flatLogic } from "../../src/runs/flat-logic.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const quick = flatLogic(runMachine);

const text = fc.constantFrom("", " ", "a", "some words");
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const event: fc.Arbitrary<RunEvent> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant("delta" as const), text, sessionKey: maybe(text) }) },
  fc.record({
    type: fc.constant("final" as const),
    text: maybe(text),
    sessionKey: maybe(text),
    discard: maybe(fc.constantFrom("solicited" as const, "declined" as const)),
  }),
  fc.record({ type: fc.constant("error" as const), error: maybe(text), errorKind: maybe(text), text: maybe(text) }),
  fc.record({ type: fc.constant("aborted" as const), text: maybe(text) }),
  fc.record({ type: fc.constant("discard" as const), reason: fc.constant("subagent" as const) }),
  fc.record({ type: fc.constant("unknown to the machine" as never) }),
);
const step = fc.oneof({ weight: 6, arbitrary: event }, fc.nat(700), fc.constant("stop" as const));
const input = { runId: "r", gateway: "g", owner: "o", sessionKey: undefined, startedAt: 5, ttlMs: 1_000 };

/** A snapshot as it is now. */
const copy = (snapshot: Snapshot) => ({ ...snapshot, context: { ...snapshot.context } });
type Snapshot = SnapshotFrom<typeof runMachine>;

/** Everything that can be seen of an actor after each step. */
function watch(machine: typeof runMachine, steps: readonly (RunEvent | number | "stop")[]) {
  const clock = createTestClock();
  const seen: unknown[] = [];
  const actor = createActor(machine, { clock, input });
  actor.subscribe({
    next: (snapshot) => seen.push(["next", copy(snapshot)]),
    complete: () => seen.push("complete"),
    error: () => seen.push("error"),
  });
  seen.push(copy(actor.getSnapshot()));
  actor.start();
  for (const step of steps) {
    if (step === "stop") actor.stop();
    else if (typeof step === "number") clock.advance(step);
    else if (actor.getSnapshot().status === "active") actor.send(step);
    const snapshot = actor.getSnapshot();
    seen.push(copy(snapshot), snapshot.can({ type: "aborted" }), snapshot.matches("buffering"), clock.pending);
  }
  return seen;
}

describe("the logic of a run without the interpreter", () => {
  it("is used for the machine of a run", () => {
    expect(quick).not.toBe(runMachine);
    expect(quick.root).toBe(runMachine.root);
  });

  it("equals the interpreter for any events at any times", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        expect(watch(quick, steps)).toStrictEqual(watch(runMachine, steps));
      }),
      { numRuns: 500 },
    );
  });

  it("restores an actor from another's persisted state", () => {
    const first = createActor(quick, { input }).start();
    first.send({ type: "delta", text: "half" });
    const second = createActor(quick, { snapshot: first.getPersistedSnapshot(), input }).start();
    second.send({ type: "final", text: "" });
    expect(second.getSnapshot().output).toMatchObject({ status: "dispatched", text: "half" });
    first.stop();
  });

  it("ignores a machine with more than one waiting state", () => {
    expect(flatLogic(deliveryMachine)).toBe(deliveryMachine);
  });

  it.each([
    ["an action on the way in", { states: { on: { entry: () => {} } } }],
    ["an action on the way out", { states: { on: { exit: () => {} } } }],
    ["an action that does not assign", { states: { on: { on: { go: { actions: () => {} } } } } }],
    ["a parameterized guard", { states: { on: { on: { go: { guard: { type: "g", params: {} }, target: "off" } } } } }],
    ["a transition that reenters", { states: { on: { on: { go: { target: "on", reenter: true } } } } }],
    ["a wildcard", { states: { on: { on: { "*": "off" } } } }],
    ["a transition of the machine as a whole", { states: { on: {} }, on: { go: ".off" } }],
    ["a transition without an event", { states: { on: { always: { guard: () => false, target: "off" } } } }],
    ["two delays", { states: { on: { after: { 5: "off", 9: "off" } } } }],
    ["states within", { states: { on: { initial: "a", states: { a: {} } } } }],
    ["a spawned actor", { states: { on: { invoke: { src: "other" } } } }],
  ])("ignores a machine with %s", (_, { states, ...rest }) => {
    const config = { initial: "on", states: { ...states, off: { type: "final" } }, ...rest };
    const machine = setup({ guards: { g: () => true } }).createMachine(config as never);
    expect(flatLogic(machine as never)).toBe(machine);
  });

  it("follows guards, every form of assignment and numbered delays", () => {
    const machine = setup({
      types: { context: {} as { n: number; word: string } },
      actions: { count: assign({ n: ({ context }) => context.n + 1, word: "counted" }) },
    }).createMachine({
      context: { n: 0, word: "" },
      initial: "on",
      states: {
        on: {
          on: { count: [{ guard: ({ context }) => context.n === 2, target: "off" }, { actions: ["count", "count"] }] },
          after: { 50: { target: "off", actions: "count" } },
        },
        off: { type: "final" },
      },
    });
    const logic = flatLogic(machine);
    expect(logic).not.toBe(machine);
    const clock = createTestClock();
    const [a, b] = [machine, logic].map((each) => createActor(each, { clock }).start()) as unknown as [
      AnyActorRef,
      AnyActorRef,
    ];
    for (const actor of [a, b]) actor.send({ type: "count" });
    expect(b.getSnapshot()).toStrictEqual(a.getSnapshot());
    clock.advance(50);
    expect(b.getSnapshot()).toStrictEqual(a.getSnapshot());
    expect(b.getSnapshot()).toMatchObject({ status: "done", context: { n: 3, word: "counted" } });
  });
});
