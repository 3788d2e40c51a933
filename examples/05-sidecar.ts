// For an app that is not in Node: the command line listens, and posts each message as a signed webhook.
// Watch for: the app verifies the signature, refuses the first attempt, and gets the same webhook-id again.
import { type StdioOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createFakeGateway } from "openclaw-inbox/testing";
import { Webhook } from "standardwebhooks";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const gateway = await createFakeGateway();
let attempts = 0;
const app = createServer(async (request, response) => {
  const headers = request.headers as Record<string, string>;
  const event = new Webhook(secret).verify(await text(request), headers) as { data: { text: string } };
  attempts += 1;
  response.writeHead(attempts === 1 ? 503 : 204).end();
  console.log(`${attempts === 1 ? "refused" : "took"} ${headers["webhook-id"]?.slice(0, 8)}: ${event.data.text}`);
  if (attempts === 2) sidecar.kill("SIGTERM");
}).listen(0, "127.0.0.1");
await once(app, "listening");
const webhook = `http://127.0.0.1:${(app.address() as AddressInfo).port}/openclaw/messages`;

// Where the package is installed: npx openclaw-inbox listen --webhook …
const command = ["--import", "tsx", "src/cli/main.ts", "listen", "--webhook", webhook, "--log-level", "error"];
const OPENCLAW = { OPENCLAW_GATEWAY_URL: gateway.url, OPENCLAW_GATEWAY_TOKEN: gateway.token };
const env = { ...process.env, ...OPENCLAW, OPENCLAW_INBOX_WEBHOOK_SECRET: secret };
const quiet: StdioOptions = ["ignore", "ignore", "inherit"]; // It would print each message, too.
const sidecar = spawn(process.execPath, command, { env, stdio: quiet, cwd: new URL("..", import.meta.url) });
await gateway.nextRequest("sessions.subscribe");
gateway.say("The report is ready.", { sessionKey: "agent:main:team", origin: "cron" });

const [code] = await once(sidecar, "exit");
console.log(`the sidecar ended with ${code}`);
app.close();
await gateway.close();
