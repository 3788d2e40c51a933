import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drawMachines } from "../../scripts/machine-drawing.ts";
import { createInbox, type LinkState, type RunOutcome } from "../../src/index.ts";
import type { Drawings } from "../../src/inspector/drawing.ts";
import { linkTransition, runEnd, stateCounts, Transitions } from "../../src/inspector/transitions.ts";

const file = new URL("../../src/inspector/page/drawings.json", import.meta.url);
const drawings = JSON.parse(readFileSync(file, "utf8")) as Drawings;
const transitionsOf = (name: keyof Drawings) => drawings[name].transitions.map(({ id }) => id);

describe("the drawings", () => {
  it("match the machines (else: npm run docs:drawings)", async () => {
    expect(drawings).toEqual(await drawMachines());
  });

  it("have every counted state and no other", () => {
    const counts = stateCounts(createInbox().stats(), []);
    for (const name of ["run", "delivery", "link"] as const) {
      const drawn = drawings[name].states.filter(({ type }) => type !== "any").map(({ id }) => id);
      expect(Object.keys(counts[name]).sort()).toEqual(drawn.sort());
    }
  });

  it("have every transition that lights up", () => {
    const ended = { gateway: "default", runId: "r", text: "" };
    const reasons = ["empty", "unroutable", "solicited", "subagent", "declined", "relocated"] as const;
    const outcomes = [
      { status: "dispatched" },
      ...reasons.map((reason) => ({ status: "discarded", reason, ...ended })),
      { status: "errored", error: "e", ...ended },
      { status: "aborted", ...ended },
      { status: "expired", ...ended },
    ] as RunOutcome[];
    for (const outcome of outcomes) expect(transitionsOf("run")).toContain(runEnd(outcome));

    const links: [LinkState, LinkState][] = [
      ["offline", "connecting"],
      ["connecting", "recovering"],
      ["recovering", "live"],
      ["connecting", "offline"],
      ["recovering", "offline"],
      ["live", "offline"],
      ["offline", "offline"],
      ["paused", "offline"],
      ["paused", "connecting"],
      ["offline", "paused"],
      ["connecting", "paused"],
      ["recovering", "paused"],
      ["live", "paused"],
    ];
    for (const [from, to] of links) expect(transitionsOf("link")).toContain(linkTransition(from, to));

    const transitions = new Transitions(0);
    const message = {} as never;
    transitions.activity({ kind: "attempt", message, attempt: 2 });
    transitions.activity({ kind: "retry", message, attempt: 1, error: "", delayMs: 0 });
    transitions.delivery({ status: "delivered", message, attempts: 1 });
    transitions.delivery({ status: "dead", message, attempts: 1, error: "" });
    expect(Object.keys(transitions.take(0).delivery).sort()).toEqual(transitionsOf("delivery").sort());
  });

  it("count transitions and deltas", () => {
    const transitions = new Transitions(0);
    expect(transitions.take(0).run).toEqual({});
    expect(transitions.take(3).run).toEqual({ "buffering:delta:buffering": 3 });
    expect(transitions.take(3).run).toEqual({});
    expect(transitions.take(4).run).toEqual({ "buffering:delta:buffering": 1 });
  });
});
