import { expect, it } from "vitest";
import { createActor, createMachine } from "xstate";
import { createTestClock } from "../../src/testing/index.ts";

it("calls timers in the order they fall due, each at its own time", () => {
  const clock = createTestClock(1_000);
  const fired: [string, number][] = [];
  clock.setTimeout(() => fired.push(["late", clock.now()]), 30);
  clock.setTimeout(() => fired.push(["early", clock.now()]), 10);
  clock.advance(29);
  expect(fired).toEqual([["early", 1_010]]);
  clock.advance(1);
  expect(fired).toEqual([
    ["early", 1_010],
    ["late", 1_030],
  ]);
  expect(clock.now()).toBe(1_030);
});

it("calls timers of equal time in the order they were set", () => {
  const clock = createTestClock();
  const fired: number[] = [];
  for (let timer = 0; timer < 100; timer += 1) clock.setTimeout(() => fired.push(timer), 5);
  clock.advance(5);
  expect(fired).toEqual(Array.from({ length: 100 }, (_, timer) => timer));
});

it("calls timers set by timers within the same step", () => {
  const clock = createTestClock();
  const fired: number[] = [];
  const again = () => {
    fired.push(clock.now());
    clock.setTimeout(again, 10);
  };
  clock.setTimeout(again, 10);
  clock.advance(35);
  expect(fired).toEqual([10, 20, 30]);
  expect(clock.pending).toBe(1);
});

it("does not call a cleared timer", () => {
  const clock = createTestClock();
  const fired: string[] = [];
  let second: unknown;
  clock.setTimeout(() => {
    fired.push("first");
    clock.clearTimeout(second as never);
  }, 5);
  second = clock.setTimeout(() => fired.push("second"), 5);
  clock.advance(10);
  expect(fired).toEqual(["first"]);
  expect(clock.pending).toBe(0);
});

it("equals a sorted list on random timers", () => {
  const clock = createTestClock();
  let state = 7;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % below;
  };
  const fired: number[] = [];
  const timers = Array.from({ length: 2_000 }, (_, index) => ({ index, ms: random(500), cleared: random(4) === 0 }));
  const handles = timers.map(({ index, ms }) => clock.setTimeout(() => fired.push(index), ms));
  for (const { index, cleared } of timers) if (cleared) clock.clearTimeout(handles[index] as never);
  const expected = timers.filter(({ cleared }) => !cleared).sort((a, b) => a.ms - b.ms || a.index - b.index);
  expect(clock.pending).toBe(expected.length);
  clock.advance(500);
  expect(fired).toEqual(expected.map(({ index }) => index));
});

it("advances 100,000 timers in less than a second each way", () => {
  const clock = createTestClock();
  let fired = 0;
  for (let timer = 0; timer < 100_000; timer += 1) {
    clock.setTimeout(() => {
      fired += 1;
    }, 100_000 - timer);
  }
  const before = performance.now();
  clock.advance(100_000);
  expect(fired).toBe(100_000);
  // A scan per timer would take minutes; the bound is wide for a busy machine.
  expect(performance.now() - before).toBeLessThan(5_000);
});

it("drives the delays of an XState actor", () => {
  const clock = createTestClock();
  const machine = createMachine({
    initial: "waiting",
    states: { waiting: { after: { 1000: "over" } }, over: { type: "final" } },
  });
  const actor = createActor(machine, { clock: clock as never }).start();
  clock.advance(999);
  expect(actor.getSnapshot().value).toBe("waiting");
  clock.advance(1);
  expect(actor.getSnapshot().value).toBe("over");
});

it("forgets the timer of a stopped actor", () => {
  const clock = createTestClock();
  const machine = createMachine({ initial: "waiting", states: { waiting: { after: { 1000: "waiting" } } } });
  const actor = createActor(machine, { clock: clock as never }).start();
  expect(clock.pending).toBe(1);
  actor.stop();
  expect(clock.pending).toBe(0);
});
