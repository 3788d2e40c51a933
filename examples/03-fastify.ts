// A Fastify app that writes what agents say into its comments, as Collavre does.
// Watch for: a session key becomes the creative, topic and user of a comment. A conversation without a creative
// is left out.
import Fastify from "fastify";
import { type CollavreJob, collavre, collavreJob, createInbox } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { firstValueFrom } from "rxjs";

const gateway = await createFakeGateway();
const comments = new Map<string, CollavreJob>(); // A table whose primary key is the message's id.
const inbox = createInbox({
  gateway: { url: gateway.url, token: gateway.token },
  session: collavre,
  deliver: (message) => void comments.set(message.id, collavreJob(message)),
});

const app = Fastify();
app.get<{ Params: { id: string } }>("/creatives/:id/comments", ({ params }) =>
  [...comments.values()].filter(({ creative_id }) => creative_id === Number(params.id)),
);
app.get("/health", () => ({ links: inbox.links().map(({ state }) => state) }));
app.addHook("onReady", () => inbox.start({ timeoutMs: 2_000 })); // Boot, whatever the Gateway does.
app.addHook("onClose", () => inbox.stop());
const address = await app.listen({ host: "127.0.0.1", port: 0 });

gateway.say("Not for us.", { sessionKey: "agent:main:main", origin: "cron-isolated" });
gateway.say("The draft is due tomorrow.", {
  sessionKey: "agent:main:collavre:42:creative:100:topic:7",
  origin: "cron",
});
await firstValueFrom(inbox.deliveries$);

for (const path of ["/health", "/creatives/100/comments"]) {
  const response = await fetch(address + path);
  console.log(`GET ${path}: ${await response.text()}`);
}
await app.close();
await gateway.close();
