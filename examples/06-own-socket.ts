// A host has its own WebSocket to the Gateway, and the inbox listens on it.
// Watch for: the host does the handshake and keeps its socket. With `requests` the inbox may subscribe over it. So it
// hears a heartbeat in the main session, which a Gateway sends only to subscribers.
import { once } from "node:events";
import { createInbox, webSocketSource } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { firstValueFrom } from "rxjs";
import { WebSocket } from "ws";

const gateway = await createFakeGateway();
const ws = new WebSocket(gateway.url);
await once(ws, "message"); // connect.challenge
const params = {
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: "gateway-client", version: "1.0.0", platform: process.platform, mode: "backend" },
  role: "operator",
  scopes: ["operator.read"],
  auth: { token: gateway.token },
};
ws.send(JSON.stringify({ type: "req", id: "1", method: "connect", params }));
await once(ws, "message"); // hello-ok

const inbox = createInbox({
  source: webSocketSource(ws, { owner: "Ada", requests: true }),
  deliver: ({ owner, text }) => console.log(`over ${owner}'s socket: ${text}`),
});
await inbox.start();
gateway.say("You have a visitor.", { origin: "heartbeat" });
await firstValueFrom(inbox.deliveries$);
await inbox.stop();

console.log(`the socket is still ${ws.readyState === WebSocket.OPEN ? "open" : "closed"}`);
ws.close();
await gateway.close();
