import { firstValueFrom } from "rxjs";
import { createInbox, type Inbox } from "../inbox.ts";
import { gatewaySource } from "../source/gateway.ts";
import type { Source } from "../source/source.ts";
import { createFakeGateway } from "../testing/fake-gateway.ts";
import type { FakeGateway } from "../testing/fake-gateway-api.ts";
import { readRecording } from "../testing/recordings.ts";
import { assertNoArgument } from "./arguments.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { createLogger, logLevelOption } from "./logger.ts";
import { createPrinter } from "./printer.ts";
import { showProgress } from "./progress.ts";
import { type Scene, scenes } from "./scenes.ts";
import { summaryLine } from "./summary.ts";

/** Plays recordings of a real Gateway over a real WebSocket, and prints each message when it is complete. */
export const demo = defineCommand({
  usage: ["demo [options]"],
  about: `Starts a fake Gateway on this machine that plays what a real one sent, listens to it with
OpenClaw's own client, and prints each message when it is complete; runs that come to no
message are dim. Takes about ten seconds. The last line counts it all, the same each time.`,
  options: { "log-level": { ...logLevelOption, help: `${logLevelOption.help}; default warn` } },
  async run(values, positionals, terminal) {
    assertNoArgument(positionals);
    const logger = createLogger(terminal, values["log-level"], "warn");
    const printer = createPrinter(terminal, { maxLines: 2 });
    await using gateway = await createFakeGateway();
    const source = gatewaySource({ url: gateway.url, token: gateway.token });
    await using inbox = createInbox({ source, deliver: printer.deliver, logger });
    inbox.outcomes$.subscribe(printer.outcome);
    await inbox.start();
    const endProgress = showProgress(inbox, terminal);
    for (const scene of scenes) {
      await terminal.print(`\n${terminal.paint("bold", scene.title)}`);
      await playScene(scene, gateway);
      await caughtUp(inbox, source);
    }
    endProgress();
    await inbox.stop();
    await terminal.print(`\n${summaryLine(inbox.stats())}`);
    return exitCode.ok;
  },
});

async function playScene({ recording, durationMs = 200, repeats = 1 }: Scene, gateway: FakeGateway): Promise<void> {
  const recordedMs = readRecording(recording).at(-1)?.t ?? 0;
  gateway.repeat(repeats);
  await gateway.play(recording, { speed: Math.max(recordedMs / durationMs, 1) });
}

/** Resolves when all that the Gateway sent has been heard, and all that was complete has been printed. */
async function caughtUp(inbox: Inbox, source: Source): Promise<void> {
  while (inbox.links()[0]?.state !== "live") await firstValueFrom(inbox.links$);
  // Its answer comes after everything that was sent before it.
  await source.request?.("sessions.list", { limit: 1 });
  while (inbox.stats().pending > 0) await firstValueFrom(inbox.deliveries$);
}
