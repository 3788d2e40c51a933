import { describe, expect, it } from "vitest";
import { BriefMap } from "../../src/kit/brief-map.ts";

describe("a brief map", () => {
  it("goes on after it was empty", () => {
    const map = new BriefMap<string, number>();
    map.set("a", 1);
    expect([map.delete("a"), map.delete("a"), map.size]).toEqual([true, false, 0]);
    map.set("b", 2);
    expect([map.has("a"), map.get("b"), [...map.keys()], [...map.values()]]).toEqual([false, 2, ["b"], [2]]);
    map.clear();
    expect([map.size, map.get("b")]).toEqual([0, undefined]);
  });

  it("ends a walk during which it was emptied", () => {
    const map = new BriefMap<string, number>();
    map.set("a", 1);
    map.set("b", 2);
    const seen: string[] = [];
    for (const key of map.keys()) {
      seen.push(key);
      for (const each of ["a", "b"]) map.delete(each);
      map.set("c", 3);
    }
    expect([seen, map.size]).toEqual([["a"], 1]);
  });
});
