import { describe, expect, it } from "vitest";
import { resultNames } from "./play.ts";
import { chosenReleases } from "./releases.ts";
import { merged, readMatrix, tableOf, writtenTable } from "./report.ts";
import { scenarios } from "./scenarios/index.ts";

const ok = { name: "heard", status: "ok", seconds: 1 } as const;
const gap = { name: "missed", status: "gap", reason: "Not told.", seconds: 1 } as const;

describe("the matrix in docs/gateway-versions.md", () => {
  const matrix = readMatrix();

  it("is the table of what was kept", () => {
    expect(writtenTable()).toBe(tableOf(matrix, resultNames(scenarios)).trim());
  });

  it("has no release that is not of the matrix", () => {
    expect(chosenReleases("all")).toEqual(expect.arrayContaining(Object.keys(matrix)));
  });

  it.each(Object.entries(matrix))("has nothing of %s that failed or has no reason", (_, column) => {
    for (const [name, { status, reason = "." }] of Object.entries(column)) {
      expect(resultNames(scenarios)).toContain(name);
      expect({ name, status, reason }).toEqual({
        name,
        status: expect.not.stringMatching("failed"),
        reason: expect.stringMatching(/\.$/),
      });
    }
  });
});

describe("merged", () => {
  it("sorts releases by number", () => {
    const matrix = ["2026.9.1", "2026.10.2", "2026.5.28"].reduce(
      (all, version) => merged(all, version, [ok], true),
      {},
    );
    expect(Object.keys(matrix)).toEqual(["2026.5.28", "2026.9.1", "2026.10.2"]);
  });

  it("forgets what a whole run has not played", () => {
    const before = merged({}, "2026.9.1", [ok, gap], true);
    expect(merged(before, "2026.9.1", [ok], true)).toEqual({ "2026.9.1": { heard: { status: "ok" } } });
  });

  it("keeps what a part has not played, and other releases", () => {
    const before = merged(merged({}, "2026.9.1", [ok, gap], true), "2026.8.1", [ok], true);
    expect(merged(before, "2026.9.1", [{ ...ok, name: "missed" }], false)).toEqual({
      "2026.8.1": { heard: { status: "ok" } },
      "2026.9.1": { heard: { status: "ok" }, missed: { status: "ok" } },
    });
  });

  it("counts a gap that closed as a failure", () => {
    const matrix = merged({}, "2026.9.1", [{ ...gap, status: "closed" }], true);
    expect(tableOf(matrix, ["missed"])).toContain("| missed | **fails** |");
  });
});

describe("tableOf", () => {
  it("numbers each reason once", () => {
    const remarked = { ...ok, reason: "Late." };
    const matrix = merged(merged({}, "2026.8.1", [remarked, gap], true), "2026.9.1", [gap], true);
    expect(tableOf(matrix, ["heard", "not played", "missed"])).toBe(
      "| | 2026.8.1 | 2026.9.1 |\n|---|---|---|\n| heard | yes 1 |   |\n| missed | - 2 | - 2 |\n\n1. Late.\n2. Not told.\n",
    );
  });
});
