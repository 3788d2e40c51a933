// Prints what agents say on their own, each message when it is complete.
// Watch for: one line per message, though the Gateway sends every frame three times. Two texts are left out: the answer
// to another program's question, and what was said before this program first met the Gateway.
import { createInbox } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { lastValueFrom, take } from "rxjs";

const gateway = await createFakeGateway(); // A real one: { url: "ws://127.0.0.1:18789", token }
const inbox = createInbox({
  gateway: { url: gateway.url, token: gateway.token },
  accept: ({ origin }) => origin !== "requested",
  deliver: ({ origin, sessionKey, text }) => console.log(`${origin}, ${sessionKey}: ${text}`),
});
gateway.say("Good morning.", { sessionKey: "agent:main:team", origin: "cron" });
await inbox.start();

gateway.repeat(3);
gateway.say("It is sunny in Seoul.", { sessionKey: "agent:main:weather", origin: "send" });
gateway.say("Standup is in ten minutes.", { sessionKey: "agent:main:team", origin: "cron" });
gateway.say("The build is red since noon.", { sessionKey: "agent:main:team", origin: "heartbeat" });
gateway.say("Eve joined the team.", { sessionKey: "agent:main:team", origin: "inject" });

await lastValueFrom(inbox.deliveries$.pipe(take(3)));
await inbox.stop();
await gateway.close();

const { delivered, discarded } = inbox.stats();
console.log(`${delivered} delivered, ${discarded} left out`);
