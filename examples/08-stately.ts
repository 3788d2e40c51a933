// Shows each run, each delivery and the link as an actor in Stately's inspector, live.
// Watch for: the address is a page of this process, which frames https://stately.ai/inspect. The page needs a browser and
// the internet, the inbox does not. Only the lengths of texts are shown. Ends with Ctrl-C.
import { once } from "node:events";
import { createInbox } from "openclaw-inbox";
import { createStatelyInspector } from "openclaw-inbox/inspector";
import { createFakeGateway, type FakeRun } from "openclaw-inbox/testing";

const gateway = await createFakeGateway();
const stately = await createStatelyInspector();
const inbox = createInbox({
  gateway: { url: gateway.url, token: gateway.token },
  inspect: stately.inspect,
  deliver: ({ runId }) => console.log(`run ${runId} was delivered`),
});
await inbox.start();
console.log(`Open ${stately.url} and press Ctrl-C to end.`);

let run: FakeRun | undefined;
const speaking = setInterval(() => {
  run ??= gateway.run({ sessionKey: "agent:main:team", origin: "cron" });
  if (run.text.length < 60) return run.delta("Tick, tock. ");
  run.final();
  run = undefined;
}, 200);

await once(process, "SIGINT");
clearInterval(speaking);
await inbox.stop();
await stately.close();
await gateway.close();
console.log(`${inbox.stats().delivered} runs were shown`);
