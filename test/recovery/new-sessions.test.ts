import { describe, expect, it } from "vitest";
import { until } from "../helpers/turns.ts";
import { heard, lastingLedger, listen, openGateway, openHearing, topic } from "./hearing.ts";

describe("a session that began while we were away", () => {
  it("is read from its beginning when it speaks before it is listed", async () => {
    const fake = await openGateway();
    const { gateway, clock } = fake;
    const ledger = lastingLedger(clock);
    const hearing = await listen(fake, { ledger });
    await hearing.source.cut();
    clock.advance(1_000);
    gateway.say("Missed.", { sessionKey: topic(7) });
    clock.advance(1_000);
    // Asked for after the subscription, and before the list of sessions.
    gateway.respond("cron.list", () => {
      gateway.say("Live.", { sessionKey: topic(7) });
      return { jobs: [] };
    });
    await hearing.comeBack();
    await hearing.toldOf(2);
    expect(
      hearing
        .told()
        .map(([, text]) => text)
        .sort(),
    ).toEqual(["Live.", "Missed."]);
    await heard(gateway, hearing);
    await until(() => hearing.inbox.stats().recoveryPending === 0, "all to be read");
  });

  it("is read from its beginning if its first row was not sent before the cut", async () => {
    const { gateway, clock, hearing } = await openHearing({}, [topic(1)]);
    clock.advance(1_000);
    // The Gateway writes a row before it sends it. Here the events of others come in between.
    gateway.transcripts.add(topic(7), { role: "assistant", content: "Not sent." }, { runId: "run-7" });
    clock.advance(54);
    gateway.emit("sessions.changed", { sessionKey: topic(1), ts: clock.now() });
    await heard(gateway, hearing);
    await hearing.source.cut();
    await hearing.comeBack();
    await hearing.toldOf(1);
    expect(hearing.told()).toEqual([[topic(7), "Not sent."]]);
  });
});
