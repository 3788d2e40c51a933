import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../../src/kit/clock.ts";
import { postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { messageOf } from "../../helpers/message.ts";

/** A process, or a worker thread, with a ledger that has taken `a` and `b` of one session. It says "ready", and lives on. */
const { url, schema } = (parentPort === null ? JSON.parse(process.argv[2] as string) : workerData) as {
  readonly url: string;
  readonly schema: string;
};
const ledger = postgresLedger({ connectionString: url, schema });
await ledger.open({ clock: systemClock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
await ledger.take(messageOf("a"));
await ledger.take(messageOf("b"));
// Before it says that it is ready: from then on it may be stopped at any moment.
process.on("SIGUSR2", () => {
  ledger.delivered("a", 1);
  void ledger.flush().then(() => process.stdout.write("flushed\n"));
});
if (parentPort === null) process.stdout.write("ready\n");
else parentPort.postMessage("ready");
