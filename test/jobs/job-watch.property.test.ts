import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { GRACE_MS, HOUR_MS, MINUTE_MS, openScheduling, RELEASES, type Scheduling } from "./scheduling-gateway.ts";

const FATES = [
  "words",
  "silence",
  "failure",
  "nothing",
  "mute",
  "refused",
  "not run",
  "disabled",
  "deleted",
  "long",
] as const;
type Fate = (typeof FATES)[number];

interface Plan {
  readonly fate: Fate;
  /** When it is due, in minutes. */
  readonly due: number;
}

const anyPlan = fc.record({ fate: fc.constantFrom(...FATES), due: fc.integer({ min: 2, max: 50 }) });
/** When the link is down, in minutes, or our process away. */
const anyGap = fc.record({
  from: fc.integer({ min: 1, max: 55 }),
  minutes: fc.integer({ min: 1, max: 20 }),
  how: fc.constantFrom("cut", "restart"),
});

interface Gap {
  readonly from: number;
  readonly minutes: number;
  readonly how: string;
}

/** What must come of a plan: an alarm, none, or either where nobody was there to hear. */
function expected({ fate, due }: Plan, gaps: readonly Gap[]): string {
  // A process that ends within the grace takes along what it has heard so far.
  const unheard = ({ from, minutes, how }: Gap) =>
    due >= from - (how === "restart" ? 7 : 1) && due <= from + minutes + 1;
  const wasAway = gaps.some(unheard);
  if (fate === "refused" || fate === "not run") return "silent";
  if (fate === "nothing" || fate === "mute") return wasAway ? "either" : "silent";
  // A failure that nobody was there to hear of is known from the Gateway's word only.
  return fate === "failure" && wasAway ? "either" : "none";
}

function act(world: Scheduling, id: string, fate: Fate): void {
  switch (fate) {
    case "mute":
      return world.run(id, { ranMs: 1 });
    case "refused":
      return world.run(id, { claims: { status: "error", summary: undefined } });
    case "failure":
      return world.run(id, { says: "failure", claims: { status: "error", summary: undefined } });
    case "disabled":
      return world.edit(id, { enabled: false });
    case "deleted":
      return world.remove(id);
    case "long":
      return world.start(id);
    case "not run":
      return;
    default:
      return world.run(id, { says: fate });
  }
}

describe("the watch of jobs", () => {
  it("alarms once for each silent job, whatever the clocks and links do", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...RELEASES),
        fc.array(anyPlan, { minLength: 1, maxLength: 8 }),
        fc.array(anyGap, { maxLength: 1 }),
        fc.integer({ min: -9, max: 9 }),
        async (release, plans, gaps, hoursOff) => {
          const ledger = { ...createMemoryLedger(), close: async () => {} };
          let world = await openScheduling(release, { ledger });
          world.setClock(hoursOff * HOUR_MS);
          await world.pass(30_000);
          for (const [n, { due }] of plans.entries()) world.add(`job-${n}`, { inMs: due * MINUTE_MS });
          await world.pass(10_000);
          let told: string[] = [];
          let isAway = false;
          const [gap] = gaps;
          for (let minute = 1; minute <= 80; minute += 1) {
            if (gap?.from === minute) {
              isAway = true;
              if (gap.how === "cut") world.cut();
              else await world.inbox.stop();
            }
            await world.pass(MINUTE_MS - (minute === 1 ? 10_000 : 0));
            for (const [n, { fate, due }] of plans.entries()) {
              if (due === minute) act(world, `job-${n}`, fate);
              if (fate === "long" && due + 15 === minute) world.end(`job-${n}`, { says: "words" });
            }
            if (isAway && gap !== undefined && gap.from + gap.minutes === minute) {
              isAway = false;
              if (gap.how === "cut") await world.comeBack();
              else {
                told = [...told, ...world.told()];
                world = await world.restart();
              }
            }
          }
          told = [...told, ...world.told()];
          for (const [n, plan] of plans.entries()) {
            const alarms = told.filter((line) => line === `job-${n} silent`).length;
            const wanted = expected(plan, gaps);
            if (wanted === "either") expect(alarms).toBeLessThanOrEqual(1);
            else expect([n, plan.fate, alarms]).toEqual([n, plan.fate, wanted === "silent" ? 1 : 0]);
          }
          await world.inbox.stop({ drainMs: 0 });
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);

  it("alarms within a minute of the grace", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1_000, max: HOUR_MS }),
        fc.integer({ min: 1_000, max: 20 * MINUTE_MS }),
        async (inMs, jobGraceMs) => {
          const world = await openScheduling("2026.9.6", { jobGraceMs });
          world.add("a", { inMs });
          const due = world.now() + inMs;
          await world.pass(inMs + jobGraceMs - 1_000);
          expect(world.alarms).toEqual([]);
          await world.pass(MINUTE_MS);
          expect(world.alarms).toMatchObject([{ job: "a", due }]);
          await world.inbox.stop({ drainMs: 0 });
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);

  it("accepts whatever a Gateway tells of its jobs", async () => {
    const word = fc.oneof(
      fc.anything({ withBigInt: false }),
      fc.constantFrom(
        "a",
        "added",
        "started",
        "finished",
        "removed",
        "main",
        "session:",
        "at",
        -1,
        0,
        1e300,
        Number.NaN,
        8.64e15,
      ),
    );
    const raw = (keys: readonly string[]) =>
      fc.record(Object.fromEntries(keys.map((key) => [key, word])), { requiredKeys: [] });
    const job = fc.oneof(
      word,
      fc.record(
        {
          id: fc.oneof(word, fc.constant("a")),
          enabled: word,
          name: word,
          sessionTarget: word,
          wakeMode: word,
          agentId: word,
          sessionKey: word,
          schedule: word,
          deleteAfterRun: word,
          payload: fc.oneof(word, fc.constant({ kind: "agentTurn" })),
          delivery: fc.oneof(word, raw(["mode", "channel"])),
          state: fc.oneof(word, raw(["nextRunAtMs", "runningAtMs", "lastRunAtMs"])),
        },
        { requiredKeys: [] },
      ),
    );
    const event = fc.record({
      jobId: fc.oneof(word, fc.constant("a")),
      action: fc.oneof(word, fc.constantFrom("added", "started", "finished", "removed")),
      job,
      runAtMs: word,
      status: word,
      summary: word,
      durationMs: word,
      deliveryStatus: word,
      error: word,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 20 }),
        fc.array(job, { maxLength: 5 }),
        word,
        async (events, jobs, entry) => {
          const world = await openScheduling();
          world.source.respond("cron.list", () => ({ jobs, hasMore: false }));
          world.source.respond("cron.runs", () => ({ entries: [entry] }));
          for (const payload of events) world.source.event("cron", payload as object);
          world.source.event("tick", { ts: entry });
          await world.comeBack();
          for (const payload of events) world.source.event("cron", payload as object);
          await world.pass(GRACE_MS + MINUTE_MS);
          expect(world.inbox.links()[0]?.state).toBe("live");
          const { jobs: followed, silentJobs, rejected } = world.inbox.stats();
          expect([followed >= 0, silentJobs >= 0, rejected]).toEqual([true, true, expect.any(Number)]);
          await world.inbox.stop({ drainMs: 0 });
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});
