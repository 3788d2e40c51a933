// An Express app that boots at once, even if the Gateway does not answer, and says when it is ready.
// Watch for: it answers while the Gateway is silent, it is ready when the Gateway answers, and the message arrives.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { createInbox } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { filter, firstValueFrom } from "rxjs";

const gateway = await createFakeGateway();
gateway.stall(); // It accepts connections, and sends nothing.
const inbox = createInbox({
  gateway: { url: gateway.url, token: gateway.token },
  deliver: ({ text }) => console.log(`handler: ${text}`),
});

const app = express();
app.get("/ready", (_, response) => {
  const isReady = inbox.links().every(({ state }) => state === "live");
  response.sendStatus(isReady ? 200 : 503);
});
await inbox.start({ timeoutMs: 100 });
const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const ready = async () => (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ready`)).status;

console.log(`GET /ready: ${await ready()}`);
const live = firstValueFrom(inbox.links$.pipe(filter(({ state }) => state === "live")));
gateway.resume();
await live;
console.log(`GET /ready: ${await ready()}`);
gateway.say("The build is green.", { sessionKey: "agent:main:team", origin: "cron" });
await firstValueFrom(inbox.deliveries$);
server.close();
await inbox.stop();
await gateway.close();
