import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deliver } from "../../src/delivery/deliver.ts";
import { InboxError, PermanentError } from "../../src/errors.ts";
import { messageOf } from "../helpers/message.ts";
import { turn } from "../helpers/turns.ts";
import { openLanes } from "./fixture.ts";

/** What each attempt does. */
const step = fc.oneof(
  fc.constantFrom("return", "resolve", "throw", "reject", "permanent", "hang" as const),
  fc.integer({ min: 1, max: 50_000 }),
);

const message = fc.record({
  session: fc.constantFrom("a", "b", "c"),
  /** Attempts before a restart. */
  attempts: fc.nat(3),
  steps: fc.array(step, { maxLength: 4 }),
});

type Plan = (typeof message extends fc.Arbitrary<infer T> ? T : never)[];

function handlerOf(plan: Plan): Deliver {
  return ({ id }, { attempt }) => {
    const { attempts, steps } = plan[Number(id)] as Plan[number];
    const what = steps[attempt - attempts - 1] ?? "return";
    if (what === "return") return "done";
    if (what === "resolve") return Promise.resolve();
    if (what === "throw") throw new Error("thrown");
    if (what === "reject") return Promise.reject(new Error("rejected"));
    if (what === "permanent") throw new PermanentError("permanent");
    if (what === "hang") return new Promise(() => {});
    throw new InboxError("ERR_INBOX_DELIVERY", "busy", { retryAfterMs: what });
  };
}

/** What lanes tell of each message, in order, and the order in which the messages of each session ended. */
async function play(plan: Plan, isInspected: boolean, concurrency: number, maxAttempts: number) {
  const { lanes, told, clock } = openLanes({
    deliver: handlerOf(plan),
    concurrency,
    maxAttempts,
    ...(isInspected && { inspect: () => {} }),
  });
  for (const [i, { session, attempts }] of plan.entries()) {
    lanes.accept({ message: messageOf(String(i), { sessionKey: session }), attempts });
  }
  let idle = false;
  void lanes.idle().then(() => (idle = true));
  for (let i = 0; !idle; i++) {
    if (i > 10_000) throw new Error(`not done: ${JSON.stringify(told)}`);
    await turn();
    if (!idle) clock.advance(1_000);
  }
  expect(clock.pending).toBe(0);
  const of = (prefix: string) => told.filter((line) => line.startsWith(prefix));
  const ended = told.filter((line) => / (delivered|dead) /.test(line)).map((line) => Number.parseInt(line, 10));
  return {
    messages: plan.map((_, i) => of(`${i} `)),
    sessions: ["a", "b", "c"].map((name) => ended.filter((i) => plan[i]?.session === name)),
    last: [of("attempting").at(-1), of("waiting").at(-1)],
  };
}

describe("a first attempt without an actor", () => {
  it("follows the machine for any handler", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 6 }),
        async (plan, concurrency, maxAttempts) => {
          const shown = await play(plan, true, concurrency, maxAttempts);
          expect(await play(plan, false, concurrency, maxAttempts)).toEqual(shown);
        },
      ),
      { numRuns: 200 },
    );
  });
});
