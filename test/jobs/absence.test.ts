import { describe, expect, it } from "vitest";
import { createMemoryLedger } from "../../src/ledger/memory.ts";
import { GRACE_MS, HOUR_MS, MINUTE_MS, openScheduling } from "./scheduling-gateway.ts";

/** Until a job that is due in ten minutes is due. */
const DUE_MS = 10 * MINUTE_MS;
/** The longest that an alarm comes after the grace. */
const LATEST_MS = 30_000;

describe("a job while the link was down", () => {
  it("raises no alarm when it spoke", async () => {
    const { add, run, pass, told, cut, comeBack } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    cut();
    await pass(DUE_MS);
    run("a", { says: "words" });
    await pass(30 * MINUTE_MS);
    expect(told()).toEqual([]);
    await comeBack();
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual([]);
  });

  it("raises no alarm when it spoke and deleted itself", async () => {
    const { add, run, pass, told, cut, comeBack } = await openScheduling();
    add("a", { deleteAfterRun: true });
    cut();
    await pass(DUE_MS);
    run("a", { says: "words" });
    await comeBack();
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("raises no alarm when it began before and spoke", async () => {
    const { add, start, end, pass, told, cut, comeBack } = await openScheduling();
    add("a");
    await pass(DUE_MS);
    start("a");
    cut();
    await pass(MINUTE_MS);
    end("a", { says: "words" });
    await comeBack();
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("raises an alarm with the Gateway's claim when it refused", async () => {
    const { add, run, pass, alarms, cut, comeBack } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    cut();
    await pass(DUE_MS);
    run("a", { claims: { status: "error", summary: "" } });
    await pass(GRACE_MS + LATEST_MS);
    expect(alarms).toEqual([]);
    await comeBack();
    await pass(GRACE_MS + LATEST_MS);
    expect(alarms).toMatchObject([{ job: "a", claimed: { status: "error" } }]);
  });

  it("raises an alarm when it was passed over", async () => {
    const { add, edit, pass, told, cut, comeBack, now } = await openScheduling();
    add("a", { everyMs: HOUR_MS });
    cut();
    await pass(DUE_MS + MINUTE_MS);
    edit("a", { state: { nextRunAtMs: now() + HOUR_MS } });
    await comeBack();
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });

  it("raises no alarm when the Gateway makes up for it within the grace", async () => {
    const { add, edit, run, pass, told, cut, comeBack, now } = await openScheduling();
    add("a");
    cut();
    await pass(DUE_MS + HOUR_MS);
    edit("a", { state: { nextRunAtMs: now() + 2 * MINUTE_MS } });
    await comeBack();
    await pass(2 * MINUTE_MS);
    run("a", { says: "words" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });
});

describe("a job after a restart", () => {
  const lasting = () => {
    const ledger = createMemoryLedger();
    return { ...ledger, close: async () => {} };
  };

  it("raises an alarm when it was silent meanwhile", async () => {
    const first = await openScheduling("2026.9.6", { ledger: lasting() });
    first.add("a", { everyMs: HOUR_MS });
    await first.pass(MINUTE_MS);
    await first.inbox.stop();
    await first.pass(HOUR_MS);
    first.edit("a", { state: { nextRunAtMs: first.now() + HOUR_MS } });
    const { pass, told } = await first.restart();
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });

  it("raises no alarm when it spoke meanwhile", async () => {
    const first = await openScheduling("2026.9.6", { ledger: lasting() });
    first.add("a", { everyMs: HOUR_MS });
    await first.pass(MINUTE_MS);
    await first.inbox.stop();
    await first.pass(DUE_MS);
    first.run("a", { says: "words" });
    const { pass, told } = await first.restart();
    await pass(30 * MINUTE_MS);
    expect(told()).toEqual([]);
  });

  it("is known to be silent and reported when it is heard again", async () => {
    const first = await openScheduling("2026.9.6", { ledger: lasting() });
    first.add("a", { everyMs: 20 * MINUTE_MS });
    await first.pass(DUE_MS);
    first.run("a");
    await first.pass(GRACE_MS + LATEST_MS);
    expect(first.told()).toEqual(["a silent"]);
    const { pass, told, run, inbox } = await first.restart();
    expect(inbox.stats()).toMatchObject({ silentJobs: 1, jobAlarms: 0 });
    run("a");
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual([]);
    run("a", { says: "words" });
    await pass(1_000);
    expect(told()).toEqual(["a heard"]);
    expect(inbox.stats().silentJobs).toBe(0);
  });

  it("is not known without a ledger and raises an alarm when it is overdue", async () => {
    const first = await openScheduling();
    first.add("a", { everyMs: HOUR_MS });
    await first.pass(DUE_MS);
    const { pass, told } = await first.restart();
    await pass(GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });
});
