import { describe, expect, it } from "vitest";
import { RunMap } from "../../src/kit/run-map.ts";

describe("a table of runs", () => {
  it("keeps runs of one id on two Gateways apart", () => {
    const table = new RunMap<string>();
    table.set("home", "r", "one");
    table.set("work", "r", "two");
    expect([table.get("home", "r"), table.get("work", "r"), table.get("away", "r")]).toEqual(["one", "two", undefined]);
    expect(table.named("r")).toEqual(["one", "two"]);
    expect(table.delete("home", "r")).toBe(true);
    expect([table.named("r"), table.size]).toEqual([["two"], 1]);
  });

  it("counts a run once, however often it is set", () => {
    const table = new RunMap<number>();
    table.set("home", "r", 1);
    table.set("home", "r", 2);
    expect([table.size, table.delete("home", "s"), table.delete("work", "r"), table.size]).toEqual([
      1,
      false,
      false,
      1,
    ]);
    table.clear();
    expect([table.size, [...table.values()]]).toEqual([0, []]);
  });

  it("lists the runs of a Gateway in the order of insertion", () => {
    const table = new RunMap<string>();
    for (const [gateway, runId] of ["ab", "bc", "aa"].map((name) => [...name] as [string, string])) {
      table.set(gateway, runId, gateway + runId);
    }
    expect([...table.values()]).toEqual(["ab", "aa", "bc"]);
    expect(Array.from(table.byGateway(), (values) => [...values])).toEqual([["ab", "aa"], ["bc"]]);
  });
});
