import { filter, firstValueFrom, map } from "rxjs";
import { collavre } from "../../collavre.ts";
import { webhook } from "../../delivery/webhook/webhook.ts";
import { createInbox } from "../../inbox.ts";
import type { Inbox } from "../../inbox-api.ts";
import type { InboxOptions } from "../../options.ts";
import type { Logger } from "../../types.ts";
import { announceListening } from "../announce.ts";
import { fromFlags } from "../arguments.ts";
import { defineCommand, type NameOf, type OptionValues } from "../command.ts";
import { type Config, readConfig } from "../config.ts";
import { exitCode } from "../exit-code.ts";
import { gatewayOptions, gatewaysFrom } from "../gateway-flags.ts";
import { inspectOptions, inspectPort, serveInspector, serveStately, statelyOptions } from "../inspect.ts";
import { openLedger } from "../ledger.ts";
import { createLogger, logLevelOption } from "../logger.ts";
import { plainText } from "../plain-text.ts";
import { createPrinter } from "../printer.ts";
import { readServeAddress, serveHealth } from "../serve.ts";
import { listenForStop } from "../signals.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { webhookFlags, webhookNames, webhookOptionsFrom } from "../webhook-flags.ts";

/** How long deliveries may continue after the first signal, in ms. */
const DRAIN_MS = 10_000;

const options = {
  ...gatewayOptions,
  name: {
    type: "string",
    value: "NAME",
    help: "the Gateway's name in messages, the same everywhere; default `default`",
  },
  owner: { type: "string", value: "LABEL", help: "the `owner` that messages carry" },
  session: { type: "string", value: "WHICH", help: "`all` conversations (default), or those of `collavre`" },
  json: { type: "boolean", help: "one line of JSON per message, and nothing else on stdout" },
  ledger: { type: "string", value: "PLACE", help: "remember messages in this file, or in postgres://..." },
  ...webhookFlags,
  config: { type: "string", value: "FILE", help: "read Gateways, filters, retries and limits from this JSON file" },
  serve: {
    type: "string",
    value: "[HOST:]PORT",
    help: "answer /healthz, /readyz and /metrics; without HOST on 127.0.0.1",
  },
  ...inspectOptions,
  ...statelyOptions,
  "log-level": { ...logLevelOption, help: "as LOG_LEVEL: fatal, error, warn (default on a terminal), info, ..." },
} as const;

export const listen = defineCommand({
  usage: [
    "listen --url URL [options]",
    "listen --config FILE [options]",
    "listen --url URL --inspect [PORT] [options]",
  ],
  about: `Listens to a Gateway and prints each message when it is complete, until Ctrl-C or SIGTERM. Then it
accepts no new run, gives deliveries at most ten seconds to finish, and exits with 0. A second
signal ends it at once. A lost connection comes back by itself.

With --webhook each message is posted, signed with the secret in OPENCLAW_INBOX_WEBHOOK_SECRET, and
printed when the receiver has accepted it. With --ledger a crash or a restart loses nothing.`,
  options,
  async run(values, positionals, terminal, nameOf) {
    const port = inspectPort(values, positionals);
    const config = values.config === undefined ? undefined : readConfig(values.config);
    const usual = terminal.interactive ? "warn" : "info";
    const level = values["log-level"] ?? config?.logLevel;
    const logger = createLogger(
      terminal,
      level,
      usual,
      values["log-level"] === undefined ? "logLevel" : nameOf("log-level"),
    );
    const serve = values.serve ?? config?.serve;
    const address = serve === undefined ? undefined : readServeAddress(serve, nameOf("serve"));
    const hook = webhookOptionsFrom(values, config?.webhook, nameOf);
    const post = hook && fromFlags(webhookNames(values, nameOf), () => webhook(hook));
    const printer = createPrinter(terminal, { json: values.json });
    const inboxOptions = inboxOptionsOf(values, config, nameOf);
    const place = values.ledger ?? config?.ledger;
    const ledger = place === undefined ? undefined : await openLedger(place, config?.inbox.retainMs);
    await using stately = values.stately === true ? await serveStately(terminal) : undefined;
    await using inbox = createInbox({
      ...inboxOptions,
      ...(ledger !== undefined && { ledger }),
      ...(stately && { inspect: stately.inspect }),
      deliver: post ?? printer.deliver,
      logger,
    });
    if (post !== undefined) {
      // Printed after the post and not in the handler. Otherwise a failing stdout would post a message again.
      inbox.deliveries$.subscribe(({ status, message }) => {
        if (status === "delivered") void printer.message(message);
      });
    }
    await using health = address === undefined ? undefined : await serveHealth(inbox, address);
    if (health !== undefined) logger.info({ url: health.url }, "serving /healthz, /readyz and /metrics");
    await using _inspector = port === undefined ? undefined : await serveInspector(inbox, port, values, terminal);
    const talkative = terminal.interactive && level?.toLowerCase() !== "silent";
    using _announcement = announceListening(
      inbox,
      talkative ? terminal : undefined,
      logger,
      hook && new URL(hook.url).host,
    );
    return await listenUntilStopped(inbox, terminal, logger);
  },
});

async function listenUntilStopped(inbox: Inbox, terminal: Terminal, logger: Logger): Promise<number> {
  const stop = listenForStop();
  const paused = allPaused(inbox);
  const failed = new Promise<never>((_resolve, reject) => inbox.start().catch(reject));
  const end = await Promise.race([paused, failed, stop.received.then((signal) => ({ signal }))]);
  if ("signal" in end) logger.info({ ...end, pending: inbox.stats().pending }, "stopping");
  await inbox.stop({ drainMs: DRAIN_MS });
  stop.release();
  if ("signal" in end) return exitCode.ok;
  terminal.note(`openclaw-inbox: ${plainText(end.reason)}`);
  return exitCode.paused;
}

/** Resolves when no link will come back by itself, with what a person must fix. */
function allPaused(inbox: Inbox): Promise<{ readonly reason: string }> {
  return firstValueFrom(
    inbox.links$.pipe(
      filter(() => inbox.links().every(({ state }) => state === "paused")),
      map(({ reason = "The Gateway refused the connection." }) => ({ reason })),
    ),
    // The links completed because of a signal. Then the signal ends the race.
    { defaultValue: { reason: "" } },
  );
}

/** The command line wins over the environment, and the environment over the configuration. */
function inboxOptionsOf(
  values: OptionValues<typeof options>,
  config: Config | undefined,
  nameOf: NameOf,
): InboxOptions {
  const session = readSession(
    values.session ?? config?.session,
    values.session === undefined ? "session" : nameOf("session"),
  );
  return {
    ...config?.inbox,
    source: gatewaysFrom(values, nameOf, config?.gateways),
    ...(session && { session }),
    ...(config?.accept && { accept: config.accept }),
  };
}

function readSession(which: string | undefined, name: string): typeof collavre | undefined {
  if (which === undefined || which === "all") return undefined;
  if (which === "collavre") return collavre;
  throw new UsageError(`Expected \`${name}\` to be \`all\` or \`collavre\`, got \`${which}\``);
}
