import { describe, expect, it } from "vitest";
import { until } from "../helpers/turns.ts";
import { heard, lastingLedger, listen, openGateway, topic } from "./hearing.ts";

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
});
