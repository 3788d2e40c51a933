// A NestJS app whose inbox is a provider: it starts with the app, and stops with it.
// Watch for: the module has the message; closing the app stops the inbox.
import "reflect-metadata";
import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { createInbox } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";
import { firstValueFrom } from "rxjs";

const gateway = await createFakeGateway();

class InboxService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly inbox = createInbox({
    gateway: { url: gateway.url, token: gateway.token },
    deliver: ({ text }) => console.log(`handler: ${text}`),
  });

  async onApplicationBootstrap(): Promise<void> {
    await this.inbox.start({ timeoutMs: 2_000 });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.inbox.stop();
    console.log("inbox stopped");
  }
}

class AppModule {}
// The same as @Module above the class.
Module({ providers: [InboxService] })(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
app.enableShutdownHooks(); // Without it Nest does not hear SIGTERM.
const { inbox } = app.get(InboxService);
const delivered = firstValueFrom(inbox.deliveries$);
gateway.say("Standup is in ten minutes.", { sessionKey: "agent:main:team", origin: "cron" });
await delivered;
await app.close();
await gateway.close();
