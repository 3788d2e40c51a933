import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../helpers/message.ts";
import { openLedger } from "../open-ledger.ts";

/** A worker thread with a ledger: takes a message, says so, and then stays as it is, or fails where it is told to. */
const ledger = await openLedger(workerData as string);
await ledger.take(messageOf("a"));
parentPort?.on("message", () => {
  throw new Error("This thread fails");
});
parentPort?.postMessage("taken");
