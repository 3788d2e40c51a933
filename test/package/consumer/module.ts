// A module of another project that uses every subpath. Compiled and run by `npm run pack:check`.
import {
  collavre,
  collavreJob,
  createInbox,
  createRecordingWriter,
  defineSessionKey,
  isInboxError,
  recordingSource,
} from "openclaw-inbox";
import { bullmq } from "openclaw-inbox/bullmq";
import { createInspector } from "openclaw-inbox/inspector";
import { deliveryMachine, linkMachine, runMachine } from "openclaw-inbox/machines";
import { registerMetrics } from "openclaw-inbox/metrics";
import { postgresLedger } from "openclaw-inbox/postgres";
import { createFakeGateway } from "openclaw-inbox/testing";
import { Registry } from "prom-client";
import { firstValueFrom } from "rxjs";
import { createActor } from "xstate";

const gateway = await createFakeGateway();
const creatives: number[] = [];
const inbox = createInbox({
  gateway: { url: gateway.url, token: gateway.token },
  session: collavre,
  deliver: (message) => creatives.push(message.session.creativeId, collavreJob(message).creative_id),
});
const inspector = await createInspector(inbox);
const registry = new Registry();
registerMetrics(inbox, registry);
await inbox.start();
gateway.say("Hello.", { sessionKey: "agent:main:collavre:42:creative:100", origin: "cron" });
const { status } = await firstValueFrom(inbox.deliveries$);
const page = await fetch(inspector.url);
const metrics = await registry.metrics();
await inspector.close();
await inbox.stop();
await gateway.close();

const run = createActor(runMachine).start();
run.send({ type: "final", text: "Hello." });
function refusal(): unknown {
  try {
    return bullmq({ name: "proactive", add: async () => {} }, { retainMs: 0 });
  } catch (error) {
    return error;
  }
}
const held = [
  status === "delivered",
  creatives.join() === "100,100",
  page.status === 200,
  /^openclaw_inbox_\w*delivered\w* 1$/m.test(metrics),
  run.getSnapshot().output?.status === "dispatched",
  isInboxError(refusal(), "ERR_INBOX_OPTION"),
];
if (held.includes(false)) throw new Error(`Not all held: ${held}\n${metrics}`);

// What a library exports must have types that its own declaration files can name.
export const read = defineSessionKey({ room: { as: "roomId", type: "integer" } });
export const makers = {
  gateway: () => createFakeGateway(),
  inspector: () => createInspector(inbox),
  mounted: () => createInspector(inbox, { port: false }),
  ledger: () => postgresLedger({ connectionString: "postgres://127.0.0.1/app" }),
  machines: () => ({ deliveryMachine, linkMachine, runMachine }),
  recording: (file: string) => recordingSource(file),
  run: () => gateway.run(),
  transcript: () => gateway.transcripts.session("agent:main:main"),
  writer: (file: string) => createRecordingWriter(file),
};
