import { expect, it } from "vitest";
import { nearest } from "../../src/kit/nearest.ts";

it.each([
  ["tokn", "token"],
  ["tkoen", "token"],
  ["TOKEN", "token"],
  ["ledgr", "ledger"],
  ["gatewy", "gateway"],
  ["x", undefined],
  ["", undefined],
  ["password", undefined],
  ["t".repeat(1_000_000), undefined],
])("takes %.20s for %s", (word, name) => {
  expect(nearest(word, ["token", "ledger", "gateway"])).toBe(name);
});
