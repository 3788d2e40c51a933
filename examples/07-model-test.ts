// Walks a whole inbox along every simple path of the run's machine, with both versions of XState's model tester. After
// each step the inbox must be in the same state as the machine.
// Watch for: the TTL is not an event that is sent; the clock is moved instead. If you leave a step out, its paths fail.
import { strictEqual } from "node:assert";
import { TestModel as BetaTestModel } from "@xstate/test";
import { createInbox } from "openclaw-inbox";
import { runMachine } from "openclaw-inbox/machines";
import { createTestClock } from "openclaw-inbox/testing";
import { TestModel } from "xstate/graph";

const TTL = "xstate.after.ttl.run.buffering";
const types = ["delta", "final", "error", "aborted", TTL];

function systemUnderTest() {
  const clock = createTestClock();
  const inbox = createInbox({ clock, ttlMs: 1_000 });
  let state = "buffering";
  inbox.outcomes$.subscribe(({ status }) => (state = status));
  const hear = (payload: object) => inbox.handle({ runId: "run-1", sessionKey: "agent:main:main", ...payload });
  hear({ state: "status" });
  const steps = {
    delta: () => hear({ state: "delta", message: { content: "Hi" } }),
    final: () => hear({ state: "final", message: { content: "Hi" } }),
    error: () => hear({ state: "error" }),
    aborted: () => hear({ state: "aborted" }),
    [TTL]: () => clock.advance(1_000),
  };
  return { events: steps, states: { "*": ({ value }: { value: unknown }) => strictEqual(state, value) } };
}

const options = { events: types.map((type) => ({ type, text: "Hi" })), logger: { log() {}, error() {} } };
for (const [edition, Model] of Object.entries({ "xstate/graph": TestModel, "@xstate/test": BetaTestModel })) {
  // Both take the machine as it is; the beta's types know an older XState only.
  const paths = new Model(runMachine as never, options as never).getSimplePaths();
  for (const path of paths) await path.test(systemUnderTest() as never);
  console.log(`${edition}: ${paths.length} paths hold`);
  for (const { steps } of paths) console.log(`  ${steps.map(({ event }) => event.type).join(" ")}`);
}
