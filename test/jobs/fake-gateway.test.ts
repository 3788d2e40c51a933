import { afterEach, describe, expect, it } from "vitest";
import { createFakeGateway, createTestClock, type FakeGateway } from "../../src/testing/index.ts";
import type { Alarm } from "../../src/types.ts";
import { until } from "../helpers/turns.ts";
import { asked, heard, listen, NOON, topic } from "../recovery/hearing.ts";

const MINUTE_MS = 60_000;
const GENERATIONS = ["2026.5", "2026.8", "2026.9.5"] as const;
const ORIGINS = ["cron", "cron-isolated", "cron-current"] as const;
const gateways: FakeGateway[] = [];

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
});

/** A Gateway on a real socket, and an inbox that gives its jobs five minutes. */
async function open(generation: (typeof GENERATIONS)[number]) {
  const clock = createTestClock(NOON);
  const gateway = await createFakeGateway({ clock, generation });
  gateways.push(gateway);
  const hearing = await listen({ gateway, clock }, { jobGraceMs: 5 * MINUTE_MS });
  const alarms: Alarm[] = [];
  hearing.inbox.alarms$.subscribe((alarm) => alarms.push(alarm));
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      clock.advance(10_000);
      await heard(gateway, hearing);
    }
  };
  return { gateway, alarms, pass, ...hearing, hearing };
}

describe.each(GENERATIONS)("a Gateway of %s on a real socket", (generation) => {
  it.each(ORIGINS)("whose %s job speaks gives no alarm", async (origin) => {
    const { gateway, alarms, pass, hearing } = await open(generation);
    const sessionKey = origin === "cron-current" ? topic(1) : "agent:main:main";
    gateway.say("Before.", { sessionKey });
    await hearing.toldOf(1);
    gateway.say("The reminder.", { origin, sessionKey, jobId: "job-1" });
    await pass(6 * MINUTE_MS);
    expect(hearing.told().map(([, text]) => text)).toContain("The reminder.");
    expect(alarms).toEqual([]);
  });

  it("with a silent job gives one after a look at the list and one when it speaks", async () => {
    const { gateway, alarms, pass, hearing } = await open(generation);
    const job = {
      id: "job-1",
      name: "Morning",
      enabled: true,
      schedule: { kind: "every", everyMs: 60 * MINUTE_MS },
      sessionTarget: "isolated",
      payload: { kind: "agentTurn", message: "Good morning" },
    };
    let state: object = { nextRunAtMs: NOON + MINUTE_MS };
    gateway.respond("cron.list", () => ({ jobs: [{ ...job, state }], hasMore: false }));
    const tell = (action: string, extra: object = {}) =>
      gateway.emit("cron", { jobId: job.id, action, job: { ...job, state }, ...extra });
    tell("added");
    await pass(MINUTE_MS);
    tell("started", { runAtMs: NOON + MINUTE_MS });
    state = { nextRunAtMs: NOON + 61 * MINUTE_MS, lastRunAtMs: NOON + MINUTE_MS };
    tell("finished", { status: "ok", durationMs: 1, deliveryStatus: "not-requested" });
    const lists = asked(gateway, "cron.list").length;
    await pass(4 * MINUTE_MS);
    expect(alarms).toEqual([]);
    await pass(2 * MINUTE_MS);
    await until(() => alarms.length > 0, "the alarm");
    expect(asked(gateway, "cron.list").length).toBeGreaterThan(lists);
    expect(alarms).toMatchObject([
      { part: "job", job: "job-1", name: "Morning", due: NOON + MINUTE_MS, claimed: { status: "ok", ranMs: 1 } },
    ]);
    gateway.say("Good morning!", { origin: "cron-isolated", jobId: "job-1" });
    await until(() => alarms.length > 1, "the second alarm");
    expect(alarms[1]).not.toHaveProperty("error");
    await heard(gateway, hearing);
  });
});
