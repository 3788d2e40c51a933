import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cut, type Plan, playCuts } from "./cut-points.ts";

const GENERATIONS = ["2026.9.5", "2026.8", "2026.5"] as const;
const ORIGINS = ["agent", "wake", "cron-current"] as const;

const plain: Plan = {
  generation: "2026.9.5",
  origin: "agent",
  texts: ["Let me look.", "Nothing there."],
  runs: 1,
  toolMs: 0,
  during: 0,
  after: 0,
  cuts: [],
};

/** Nothing else happens; the first page begins in the middle of the run's first row; it begins between its rows. */
const SURROUNDINGS = [
  { toolMs: 0, during: 0, after: 0 },
  { toolMs: 0, during: 0, after: 7 },
  { toolMs: 2_500, during: 1, after: 7 },
] as const;

/** Cuts the link at every point, and has it back after every later act. Returns the plays with a wrong result. */
async function playEveryCut(plan: Plan): Promise<readonly string[]> {
  const whole = await playCuts(plan);
  expect(whole.told.toSorted()).toEqual(whole.expected.toSorted());
  const wrong: string[] = [];
  for (const [at, [name, done]] of whole.points.entries()) {
    for (let back = done; back <= whole.acts; back += 1) {
      const { told, expected } = await playCuts({ ...plan, cuts: [{ at, back }] });
      if (!isEqual(told, expected)) wrong.push(`cut at ${at} (${name}), back after ${back} acts: ${told.join(" | ")}`);
    }
  }
  return wrong;
}

describe("two runs with the same words are handed over once each", () => {
  const variants = GENERATIONS.flatMap((generation) =>
    ORIGINS.filter((origin) => isThere(generation, origin)).map((origin) => ({ generation, origin })),
  );

  it.each(variants)("in $generation by $origin", async (variant) => {
    expect(await playEveryCut({ ...plain, ...variant, texts: ["All is well."], runs: 2 })).toEqual([]);
  });

  // The second run is in progress when the rows of the first are looked up.
  it("in 2026.5 with tool calls", async () => {
    expect(await playEveryCut({ ...plain, generation: "2026.5", origin: "wake", runs: 2, during: 4 })).toEqual([]);
  });
});

describe("a run with a tool call is handed over once and whole", () => {
  const variants = GENERATIONS.flatMap((generation) =>
    ORIGINS.filter((origin) => isThere(generation, origin)).flatMap((origin) =>
      SURROUNDINGS.slice(generation === "2026.9.5" ? 0 : 2).map((more) => ({ ...plain, generation, origin, ...more })),
    ),
  );

  it.each(variants)("in $generation by $origin with $during notes in $toolMs ms and $after later", async (plan) => {
    expect(await playEveryCut(plan)).toEqual([]);
  });

  it("through up to three cuts and restarts", async () => {
    const plans = fc.record({
      generation: fc.constantFrom(...GENERATIONS),
      origin: fc.constantFrom(...ORIGINS),
      texts: fc.constantFrom(["Only one text."], plain.texts, ["Let me look.", "And there.", "Nothing at all."]),
      runs: fc.integer({ min: 1, max: 3 }),
      toolMs: fc.constantFrom(0, 1_500, 4_000),
      during: fc.constantFrom(0, 1, 2, 9),
      after: fc.integer({ min: 0, max: 13 }),
      restarts: fc.boolean(),
      cuts: fc.array(fc.record({ ahead: fc.integer({ min: 0, max: 60 }), away: fc.integer({ min: 0, max: 4 }) }), {
        minLength: 1,
        maxLength: 3,
      }),
    });
    const old = { generation: "2026.5", origin: "wake", toolMs: 0, during: 9, after: 0, restarts: false } as const;
    const found = [
      // Without its beginning, the row of a run is looked up while there is no connection.
      {
        ...old,
        texts: plain.texts,
        runs: 2,
        cuts: [
          { ahead: 7, away: 1 },
          { ahead: 36, away: 4 },
        ],
      },
      // A row that was caught up is read again, after another run has said the same.
      {
        ...old,
        texts: ["Let me look.", "And there.", "Nothing at all."],
        runs: 3,
        cuts: [
          { ahead: 40, away: 3 },
          { ahead: 50, away: 1 },
          { ahead: 21, away: 0 },
        ],
      },
    ];
    await fc.assert(
      fc.asyncProperty(plans, async ({ cuts, ...plan }) => {
        fc.pre(isThere(plan.generation, plan.origin));
        const { told, expected } = await playCuts({ ...plan, cuts: cutsFrom(cuts) });
        // Without run ids, a run that the inbox before heard in part may come again, under another id. And an inbox that
        // stops while a reminder waits for its copy hands the reminder over.
        const isOnce = !plan.restarts || (plan.generation !== "2026.5" && plan.origin !== "cron-current");
        if (isOnce) expect(told.toSorted()).toEqual(expected.toSorted());
        expect(missingOf(told, expected)).toEqual([]);
        expect(missingOf(expected, [...new Set(told)])).toEqual([]);
      }),
      { numRuns: Number(process.env["RUNS"] ?? 100), examples: found.map((plan): [typeof plan] => [plan]) },
    );
  });
});

function isThere(generation: Plan["generation"], origin: Plan["origin"]): boolean {
  return generation !== "2026.5" || origin !== "cron-current";
}

/** Each cut comes some points after the one before, and the link comes back some acts later. */
function cutsFrom(cuts: readonly { readonly ahead: number; readonly away: number }[]): readonly Cut[] {
  let at = -1;
  return cuts.map(({ ahead, away }) => {
    at += ahead + 1;
    return { at, away };
  });
}

/** What of `expected` was not told, or not as often. */
function missingOf(told: readonly string[], expected: readonly string[]): readonly string[] {
  const left = [...told];
  return expected.filter((text) => {
    const at = left.indexOf(text);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

function isEqual(told: readonly string[], expected: readonly string[]): boolean {
  return told.toSorted().join("\n") === expected.toSorted().join("\n");
}
