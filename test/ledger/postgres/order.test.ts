import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kit/clock.ts";
import { postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { usePostgres } from "../../helpers/postgres.ts";

const postgres = await usePostgres("THE ORDER OF MESSAGES ON SEVERAL HOSTS");
afterAll(() => postgres?.stop());

async function open(schema: string) {
  const ledger = postgresLedger({ connectionString: postgres?.url as string, schema });
  await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
  return ledger;
}

describe.skipIf(postgres === undefined)("a session", () => {
  it("keeps its order when its owner hears a message while it claims", async () => {
    const schema = postgres?.schema() as string;
    const [owner, other] = [await open(schema), await open(schema)];
    await owner.take(messageOf("a"));
    for (const id of ["b", "c"]) expect(await other.take(messageOf(id))).toBe("elsewhere");
    const claiming = owner.claim(10);
    // The claim is on its way to the server.
    for (let turns = 0; turns < 10; turns += 1) await Promise.resolve();
    const order: string[] = [];
    const taking = Promise.resolve(owner.take(messageOf("b"))).then((result) => {
      if (result === "taken") order.push("b");
    });
    order.push(...(await claiming).map(({ message }) => message.id));
    await taking;
    expect(order).toEqual(["b", "c"]);
    await owner.close();
    await other.close();
  });
});
