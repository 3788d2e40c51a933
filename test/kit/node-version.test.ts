import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nodeProblem } from "../../src/kit/node-version.ts";

it("is that of package.json", () => {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
  const oldest = engines.node.replace(">=", "");
  expect(nodeProblem(`${oldest}.0`)).toBeUndefined();
  expect(nodeProblem("24.1.0")).toBeUndefined();
  expect(nodeProblem("22.18.9")).toContain(`Node ${oldest} or later is needed`);
  expect(nodeProblem("20.20.2")).toBe(`Node ${oldest} or later is needed, and this is Node 20.20.2`);
});
