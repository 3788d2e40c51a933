import { afterEach, describe, expect, it } from "vitest";
import { TestModel } from "xstate/graph";
import { type RunEvent, runMachine } from "../../machines/index.ts";
import { createInbox, type Inbox, type RunOutcome } from "../../src/index.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const TTL_EVENT = "xstate.after.ttl.run.buffering";
const ours = "agent:main:collavre:42:creative:100";

/** The machine is the model here; the system under test is the whole inbox, told and asked through its public API. */
const events: (RunEvent | { type: typeof TTL_EVENT })[] = [
  { type: "delta", text: "Hello" },
  { type: "final", text: "Hello." },
  { type: "final", text: "Hello.", discard: "unroutable" },
  { type: "final" },
  { type: "error", error: "HTTP 500" },
  { type: "aborted" },
  { type: "discard", reason: "solicited" },
  { type: TTL_EVENT },
];
const model = new TestModel(runMachine, {
  events: events as RunEvent[],
  input: { runId: "run-1", gateway: "default", sessionKey: ours, startedAt: 0, ttlMs: 1_000 },
});

let inbox: Inbox;
afterEach(() => inbox.stop());

function systemUnderTest() {
  const clock = createTestClock();
  inbox = createInbox({ clock, ttlMs: 1_000, session: (key) => (key === ours ? {} : undefined) });
  const outcomes: RunOutcome[] = [];
  inbox.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  let seq = 0;
  const hear = (payload: object) => inbox.handle({ runId: "run-1", sessionKey: ours, seq: ++seq, ...payload });
  // A run begins with its first event; the one that says nothing yet is `status`.
  hear({ state: "status" });
  const said = (text: string | undefined) =>
    text === undefined ? {} : { message: { content: [{ type: "text", text }] } };
  const steps = {
    delta: ({ event }: { event: { text: string } }) => hear({ state: "delta", deltaText: "", ...said(event.text) }),
    final: ({ event }: { event: { text?: string; discard?: string } }) =>
      hear({ state: "final", ...said(event.text), ...(event.discard && { sessionKey: "agent:main:main" }) }),
    error: ({ event }: { event: { error: string } }) => hear({ state: "error", errorMessage: event.error }),
    aborted: () => hear({ state: "aborted" }),
    discard: () => inbox.solicit("run-1"),
    [TTL_EVENT]: () => clock.advance(1_000),
  };
  const check = (expected: { value: unknown; context: { text: string; reason?: string } }) => {
    if (expected.value === "buffering") {
      expect(outcomes).toEqual([]);
      expect(inbox.runs()).toMatchObject([{ runId: "run-1", text: expected.context.text }]);
      return;
    }
    expect(inbox.runs()).toEqual([]);
    const [outcome] = outcomes;
    expect(outcomes).toHaveLength(1);
    expect(outcome?.status).toBe(expected.value);
    const text = outcome?.status === "dispatched" ? outcome.message.text : outcome?.text;
    expect(text).toBe(expected.context.text);
    if (outcome?.status === "discarded") expect(outcome.reason).toBe(expected.context.reason);
  };
  return { events: steps, states: { "*": check } };
}

describe("the inbox follows the machine of a run", () => {
  for (const path of model.getSimplePaths()) {
    it(path.description, async () => {
      await path.test(systemUnderTest() as never);
    });
  }
});
