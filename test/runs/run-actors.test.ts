import { describe, expect, it, vi } from "vitest";
import { RunActors } from "../../src/runs/run-actors.ts";
import { createTestClock } from "../../src/testing/clock.ts";

const input = (runId: string) => ({ runId, gateway: "g", startedAt: 0, ttlMs: 1_000 });

describe.each([
  ["uninspected", undefined],
  ["inspected", () => {}],
])("the actors of %s runs", (_, inspect) => {
  function spawnTwo() {
    const clock = createTestClock();
    const actors = new RunActors({ clock, inspect });
    const ended: string[] = [];
    const [one, two] = ["one", "two"].map((runId) => {
      const actor = actors.spawn(input(runId));
      actor.subscribe({ complete: () => ended.push(`${runId} ${actor.getSnapshot().value}`) });
      return actor.start();
    }) as [ReturnType<RunActors["spawn"]>, ReturnType<RunActors["spawn"]>];
    return { clock, actors, ended, one, two };
  }

  it("end by their own timers", () => {
    const { clock, ended, one } = spawnTwo();
    expect(clock.pending).toBe(2);
    one.send({ type: "final", text: "Done." });
    expect([ended, clock.pending]).toEqual([["one dispatched"], 1]);
    clock.advance(1_000);
    expect([ended, clock.pending]).toEqual([["one dispatched", "two expired"], 0]);
  });

  it("are stopped one by one without output or timer", () => {
    const { clock, actors, one, two } = spawnTwo();
    actors.stop(one);
    expect([one.getSnapshot().status, one.getSnapshot().output, clock.pending]).toEqual(["stopped", undefined, 1]);
    expect(two.getSnapshot().status).toBe("active");
    actors.stop(two);
    expect(clock.pending).toBe(0);
  });
});

it("keeps no list of actors", () => {
  const actors = new RunActors({ clock: createTestClock() });
  const set = vi.spyOn(Map.prototype, "set");
  const actor = actors.spawn(input("one")).start();
  const values = set.mock.calls.map(([, value]) => value);
  set.mockRestore();
  expect(values).not.toContain(actor);
  actors.stop(actor);
});
