import { describe, expect, it } from "vitest";
import type { Deliver } from "../../src/delivery/deliver.ts";
import { PermanentError } from "../../src/errors.ts";
import { messageOf } from "../helpers/message.ts";
import { watchTurns } from "../helpers/turns.ts";
import { openLanes } from "./fixture.ts";

/** The longest turn of the event loop while `count` messages were worked off, in ms. */
async function longestTurn(deliver: Deliver, count: number, sessions: number): Promise<number> {
  let ends = 0;
  const report = { attempting() {}, waiting() {}, attempted() {} };
  const onEnd = () => {
    ends += 1;
  };
  const { lanes } = openLanes({ deliver, report, onEnd, maxAttempts: 1 });
  for (let i = 0; i < count; i++)
    lanes.accept({ message: messageOf(`m${i}`, { sessionKey: `session-${i % sessions}` }), attempts: 0 });
  const stop = watchTurns();
  await lanes.idle();
  const longest = stop();
  expect(ends).toBe(count);
  return longest;
}

const handlers: Record<string, Deliver> = {
  "returns at once": () => {},
  "resolves at once": async () => {},
  "throws at once": () => {
    throw new Error("no");
  },
  "gives up at once": () => Promise.reject(new PermanentError("no")),
};

describe.each(Object.keys(handlers))("the event loop, beside a handler that %s", (name) => {
  const deliver = handlers[name] as Deliver;
  const count = name.includes("up") || name.includes("throws") ? 20_000 : 100_000;

  it.each([1, 1_000])(`turns while ${count} messages of %i sessions are delivered`, async (sessions) => {
    expect(await longestTurn(deliver, count, sessions)).toBeLessThan(100);
  });
});
