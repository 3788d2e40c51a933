import { setTimeout } from "node:timers/promises";
import { firstValueFrom } from "rxjs";
import { createInbox } from "../../inbox.ts";
import type { Inbox } from "../../inbox-api.ts";
import type { Inspector } from "../../inspector/inspector.ts";
import { gatewaySource } from "../../source/gateway/gateway.ts";
import type { Source } from "../../source/source.ts";
import { createFakeGateway } from "../../testing/fake-gateway.ts";
import type { FakeGateway } from "../../testing/fake-gateway-api.ts";
import { readRecording } from "../../testing/recordings.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { inspectOptions, inspectPort, serveInspector } from "../inspect.ts";
import { createLogger, logLevelOption } from "../logger.ts";
import { createPrinter } from "../printer.ts";
import { showProgress } from "../progress.ts";
import { type Scene, scenes } from "../scenes.ts";
import { listenForStop } from "../signals.ts";
import { summaryLine } from "../summary.ts";
import type { Terminal } from "../terminal.ts";

/** How many times slower each scene is when somebody watches. */
const SLOWDOWN = 8;
/** How long the demo waits for the page to be opened, in ms. */
const PATIENCE_MS = 15_000;

export const demo = defineCommand({
  usage: ["demo [options]", "demo --inspect [PORT] [options]"],
  about: `Starts a fake Gateway on this machine that plays recordings of a real one, and listens to it with
OpenClaw's own client. Prints each message when it is complete, and runs without a message dim.
Takes about ten seconds. The last line has the counters; they are the same each time.

With --inspect it begins when the page is open, runs slower, and stays until Ctrl-C.`,
  options: { ...inspectOptions, "log-level": { ...logLevelOption, help: `${logLevelOption.help}; default warn` } },
  async run(values, positionals, terminal, nameOf) {
    const port = inspectPort(values, positionals);
    const logger = createLogger(terminal, values["log-level"], "warn", nameOf("log-level"));
    const printer = createPrinter(terminal, { maxLines: 2 });
    await using gateway = await createFakeGateway();
    const source = gatewaySource({ url: gateway.url, token: gateway.token });
    await using inbox = createInbox({ source, deliver: printer.deliver, logger });
    inbox.outcomes$.subscribe(printer.outcome);
    await inbox.start();
    await using inspector = port === undefined ? undefined : await serveInspector(inbox, port, values, terminal);
    if (inspector !== undefined) await watched(inspector, terminal);
    const slowdown = inspector === undefined ? 1 : SLOWDOWN;
    const endProgress = showProgress(inbox, terminal);
    for (const scene of scenes) {
      await terminal.print(`\n${terminal.paint("bold", scene.title)}`);
      await playScene(scene, gateway, slowdown);
      await caughtUp(inbox, source);
    }
    endProgress();
    if (inspector === undefined) await inbox.stop();
    await terminal.print(`\n${summaryLine(inbox.stats())}`);
    terminal.note(`\n${nextSteps}`);
    if (inspector !== undefined) await untilStopped(terminal);
    return exitCode.ok;
  },
});

const nextSteps = `Next, with a Gateway of your own:
  export OPENCLAW_GATEWAY_TOKEN=...    # gateway.auth.token in ~/.openclaw/openclaw.json
  npx openclaw-inbox doctor --url ws://127.0.0.1:18789
  npx openclaw-inbox listen --url ws://127.0.0.1:18789`;

/** Resolves when the page is open, or when the demo should begin without it. */
async function watched(inspector: Inspector, terminal: Terminal): Promise<void> {
  terminal.note("The demo begins when the page is open, or after 15 seconds.");
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!inspector.watching && Date.now() < giveUpAt) await setTimeout(50);
}

async function untilStopped(terminal: Terminal): Promise<void> {
  const stop = listenForStop();
  terminal.note("The page stays until Ctrl-C.");
  await stop.received;
  stop.release();
}

async function playScene(
  { recording, durationMs = 200, repeats = 1 }: Scene,
  gateway: FakeGateway,
  slowdown: number,
): Promise<void> {
  const recordedMs = readRecording(recording).at(-1)?.t ?? 0;
  gateway.repeat(repeats);
  await gateway.play(recording, { speed: Math.max(recordedMs / (durationMs * slowdown), 1) });
}

/** Resolves when every frame from the Gateway was heard, and every complete message was printed. */
async function caughtUp(inbox: Inbox, source: Source): Promise<void> {
  while (inbox.links()[0]?.state !== "live") await firstValueFrom(inbox.links$);
  // The answer comes after everything that was sent before it.
  await source.request?.("sessions.list", { limit: 1 });
  while (inbox.stats().pending > 0) await firstValueFrom(inbox.deliveries$);
}
