import { postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";
import { openLedger } from "../open-ledger.ts";

/** Takes a message twice on the ledger file it is given, and on the Postgres, if any; says what came of that. */
const [file, connectionString, schema] = process.argv.slice(2) as [string, string?, string?];
const results: string[] = [];
const ledger = await openLedger(file);
for (let times = 0; times < 2; times += 1) results.push(await ledger.take(messageOf("a")));
await ledger.close();
if (connectionString !== undefined && schema !== undefined) {
  const shared = postgresLedger({ connectionString, schema });
  const clock = { now: Date.now, setTimeout: (call: () => void, ms: number) => setTimeout(call, ms), clearTimeout };
  await shared.open({ clock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
  for (let times = 0; times < 2; times += 1) results.push(await shared.take(messageOf("a")));
  await shared.close();
}
process.stdout.write(`${results.join(" ")}\n`);
