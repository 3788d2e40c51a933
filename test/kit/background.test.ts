import { describe, expect, it } from "vitest";
import { inSlices, LoopTurns } from "../../src/kit/background.ts";

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

/** Counts the turns of the event loop until it is stopped. */
function countTurns() {
  let turns = 0;
  let isStopped = false;
  const count = () => {
    turns += 1;
    if (!isStopped) setImmediate(count);
  };
  setImmediate(count);
  return () => {
    isStopped = true;
    return turns;
  };
}

describe("a list worked off in slices", () => {
  it.each([
    ["synchronous", () => busy(2)],
    ["asynchronous, but never waiting,", async () => busy(2)],
  ])("lets the loop turn when the work is %s", async (_, work) => {
    const stop = countTurns();
    expect(await inSlices(new Array(100).fill(0), work)).toBe(true);
    // 200 ms of work, in slices of 20 ms.
    expect(stop()).toBeGreaterThanOrEqual(7);
  });

  it("keeps the turn for work that takes no time", async () => {
    const stop = countTurns();
    await inSlices([1, 2, 3], () => {});
    expect(stop()).toBe(0);
  });

  it("gives its items in order, one at a time", async () => {
    async function* items() {
      yield* [1, 2, 3];
    }
    const seen: string[] = [];
    await inSlices(items(), async (item) => {
      seen.push(`begin ${item}`);
      await new Promise(setImmediate);
      seen.push(`end ${item}`);
    });
    expect(seen).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
  });

  it("ends with its signal and closes its iterator", async () => {
    const control = new AbortController();
    let isClosed = false;
    function* items() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        isClosed = true;
      }
    }
    const seen: number[] = [];
    const done = await inSlices(
      items(),
      (item) => {
        seen.push(item);
        if (item === 2) control.abort();
      },
      control,
    );
    expect({ done, seen, isClosed }).toEqual({ done: false, seen: [0, 1, 2], isClosed: true });
  });

  it("passes on what the work throws", async () => {
    await expect(
      inSlices([1], () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
  });
});

describe("the turns of the loop", () => {
  it("give each of several workers its turn before another one", async () => {
    const turns = new LoopTurns();
    const seen: string[] = [];
    const work = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        await turns.next();
        seen.push(name);
        busy(25);
        expect(turns.isOver).toBe(false);
      }
    };
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(seen.join("")).toBe("abcabcabc");
  });

  it("begin with a full slice each", async () => {
    const turns = new LoopTurns();
    expect(turns.isOver).toBe(false);
    busy(25);
    expect(turns.isOver).toBe(true);
    await new Promise(setImmediate);
    expect(turns.isOver).toBe(false);
  });
});
