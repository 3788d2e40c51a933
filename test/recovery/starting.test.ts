import { describe, expect, it } from "vitest";
import type { InboxOptions } from "../../src/options.ts";
import { until } from "../helpers/turns.ts";
import { asked, type Fake, type Hearing, heard, lastingLedger, listen, openGateway, topic } from "./hearing.ts";

const HOUR_MS = 3_600_000;

/** A Gateway, and a way to start one inbox after the other on one ledger that listens to it. */
async function openLasting(options: InboxOptions = {}) {
  const fake = await openGateway();
  const ledger = lastingLedger(fake.clock, options.retainMs);
  return { ...fake, start: () => listen(fake, { ledger, ...options }) };
}

/** Has the inbox keep in its ledger that all was heard, and stops it. */
async function stopHeard(hearing: Hearing, { gateway, clock }: Fake): Promise<void> {
  gateway.emit("tick", { ts: clock.now() });
  await heard(gateway, hearing);
  await hearing.inbox.stop();
}

describe("an inbox that starts", () => {
  it("hands over nothing from before its first start", async () => {
    const fake = await openGateway();
    fake.gateway.say("Long ago.", { sessionKey: topic(1) });
    const hearing = await listen(fake, { ledger: lastingLedger(fake.clock) });
    await heard(fake.gateway, hearing);
    expect(hearing.outcomes).toEqual([]);
    expect(asked(fake.gateway, "chat.history")).toEqual([]);
    await hearing.source.cut();
    await hearing.comeBack();
    await heard(fake.gateway, hearing);
    expect(hearing.outcomes).toEqual([]);
  });

  it("catches up when its first round was cut off", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    gateway.say("Long ago.", { sessionKey: topic(1) });
    clock.advance(60_000);
    // It is cut off in the middle of its first round: the subscription is never answered.
    gateway.respond("sessions.messages.subscribe", () => new Promise(() => {}));
    const hearing = await listen(fake, {}, { start: false });
    const asking = gateway.nextRequest("sessions.list");
    void hearing.inbox.start();
    await asking;
    await until(() => asked(gateway, "sessions.messages.subscribe").length > 0, "the first round to begin");
    await hearing.source.cut();
    gateway.respond("sessions.messages.subscribe", () => ({ subscribed: true }));
    clock.advance(1_000);
    gateway.say("Just now.", { sessionKey: topic(1) });
    await hearing.comeBack();
    expect(hearing.told()).toEqual([[topic(1), "Just now."]]);
  });

  it("joins a run that was going on at its first start", async () => {
    const fake = await openGateway();
    const run = fake.gateway.run({ sessionKey: topic(1), runId: "run-1" });
    run.delta("Already ");
    const hearing = await listen(fake);
    expect(hearing.inbox.runs()).toMatchObject([{ runId: "run-1", sessionKey: topic(1), text: "Already " }]);
    run.delta("speaking.");
    run.final();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(1), "Already speaking."]]);
  });

  it("catches up after a restart with its ledger", async () => {
    const { gateway, clock, start } = await openLasting();
    const first = await start();
    gateway.say("Told by the first.", { sessionKey: topic(1) });
    const run = gateway.run({ sessionKey: topic(2), runId: "cut-in-two" });
    run.delta("Begun before, ");
    await first.toldOf(1);
    await first.inbox.stop();
    clock.advance(20 * 60_000);
    run.delta("ended between.");
    run.final();
    gateway.say("Said between.", { sessionKey: topic(3), origin: "wake" });
    clock.advance(20 * 60_000);

    const second = await start();
    expect([...second.told()].sort()).toEqual([
      [topic(2), "Begun before, ended between."],
      [topic(3), "Said between."],
    ]);
    expect(second.messages.every(({ recovered }) => recovered)).toBe(true);
    await second.inbox.stop();
    const third = await start();
    await heard(gateway, third);
    expect(third.messages).toEqual([]);
  });

  it("hands over what was pending when it was stopped", async () => {
    const { gateway, clock, start } = await openLasting();
    const first = await start();
    clock.advance(60_000);
    gateway.say("Only a row so far.", { sessionKey: topic(1), origin: "wake" });
    await heard(gateway, first);
    clock.advance(900);
    await stopHeard(first, { gateway, clock });
    expect(first.messages).toEqual([]);
    const second = await start();
    expect(second.told()).toEqual([[topic(1), "Only a row so far."]]);
  });

  it("reports no failure twice", async () => {
    const { gateway, clock, start } = await openLasting();
    const first = await start();
    clock.advance(1_000);
    gateway.say("Oh.", { sessionKey: topic(1), end: "error" });
    await until(() => first.outcomes.length === 1, "the failure");
    await stopHeard(first, { gateway, clock });
    const second = await start();
    await heard(gateway, second);
    expect(second.outcomes).toEqual([]);
  });

  it("repeats nothing that its ledger has forgotten", async () => {
    const { gateway, clock, start } = await openLasting({ retainMs: HOUR_MS });
    const first = await start();
    clock.advance(60_000);
    gateway.say("Told and forgotten.", { sessionKey: topic(1) });
    await first.toldOf(1);
    await stopHeard(first, { gateway, clock });
    clock.advance(2 * HOUR_MS);
    gateway.say("New.", { sessionKey: topic(1) });
    const second = await start();
    expect(second.told()).toEqual([[topic(1), "New."]]);
  });

  it("ignores an unreadable entry of its ledger", async () => {
    const fake = await openGateway();
    fake.gateway.say("Long ago.", { sessionKey: topic(1) });
    for (const kept of ["", "{", "null", '{"from":"x","heard":-1}', '{"from":1e99}']) {
      const ledger = lastingLedger(fake.clock);
      ledger.setCursor("heard one", kept);
      const hearing = await listen(fake, { ledger });
      expect(hearing.messages, kept).toEqual([]);
    }
  });
});
