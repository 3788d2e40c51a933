import { describe, expect, it } from "vitest";
import { GRACE_MS, HOUR_MS, MINUTE_MS, openScheduling } from "./scheduling-gateway.ts";

/** Until a job that is due in ten minutes is due. */
const DUE_MS = 10 * MINUTE_MS;
/** The longest that an alarm comes after the grace. */
const LATEST_MS = 30_000;

describe("the clocks of a Gateway", () => {
  it.each([
    ["ahead", 5 * HOUR_MS],
    ["behind", -5 * HOUR_MS],
  ])("cause no false and no late alarm when they are hours %s", async (_, byMs) => {
    const { add, run, pass, told, setClock } = await openScheduling();
    setClock(byMs);
    await pass(MINUTE_MS);
    add("a");
    add("b");
    await pass(DUE_MS - 1_000);
    expect(told()).toEqual([]);
    await pass(1_000);
    run("a", { says: "words" });
    await pass(GRACE_MS - 1_000);
    expect(told()).toEqual([]);
    await pass(LATEST_MS);
    expect(told()).toEqual(["b silent"]);
  });

  it.each([5, -5])("cause no alarm for jobs before a start that is %i hours off", async (hours) => {
    const first = await openScheduling();
    first.setClock(hours * HOUR_MS);
    first.add("a");
    first.cut();
    const { run, pass, told } = await first.restart();
    await pass(DUE_MS - 1_000);
    expect(told()).toEqual([]);
    run("a", { says: "words" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });

  it("cause an alarm when a scheduler's is set back", async () => {
    const { add, pass, told, setClock } = await openScheduling();
    add("a");
    await pass(8 * MINUTE_MS);
    setClock(-2 * HOUR_MS);
    await pass(2 * MINUTE_MS + GRACE_MS + LATEST_MS);
    expect(told()).toEqual(["a silent"]);
  });

  it("cause no alarm when a scheduler's is put right", async () => {
    const { add, run, pass, told, setClock, now } = await openScheduling();
    setClock(2 * HOUR_MS);
    await pass(MINUTE_MS);
    add("a", { inMs: DUE_MS });
    const due = now() + DUE_MS;
    await pass(MINUTE_MS);
    setClock(0);
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
    await pass(due - now());
    run("a", { says: "words" });
    await pass(HOUR_MS);
    expect(told()).toEqual([]);
  });
});
