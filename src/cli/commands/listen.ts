import { filter, firstValueFrom, map } from "rxjs";
import type { Deliver } from "../../delivery/deliver.ts";
import { webhook } from "../../delivery/webhook/webhook.ts";
import { createInbox } from "../../inbox.ts";
import type { Inbox } from "../../inbox-api.ts";
import { collavre } from "../../protocol/session-key.ts";
import { fromFlags } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { gatewayFromFlags, gatewayOptions } from "../gateway-flags.ts";
import { inspectOptions, inspectPort, serveInspector, serveStately, statelyOptions } from "../inspect.ts";
import { createLogger, logLevelOption } from "../logger.ts";
import { plainText } from "../plain-text.ts";
import { createPrinter } from "../printer.ts";
import { listenForStop } from "../signals.ts";
import { UsageError } from "../usage-error.ts";

/** How long deliveries may go on after the first signal, in ms. */
const DRAIN_MS = 10_000;

/** Listens to a Gateway until a signal, and prints each message or posts it. */
export const listen = defineCommand({
  usage: ["listen --url URL [options]", "listen --url URL --inspect [PORT] [options]"],
  about: `Listens to a Gateway and prints each message when it is complete, until Ctrl-C or SIGTERM. Then it
takes no new run, lets deliveries finish for ten seconds at most, and exits with 0; a second signal
ends it at once. A lost connection comes back by itself.

With --webhook each message is posted, signed with the secret in OPENCLAW_INBOX_WEBHOOK_SECRET, and
printed once the receiver has taken it. With --ledger nothing is lost to a crash or a restart.`,
  options: {
    ...gatewayOptions,
    name: {
      type: "string",
      value: "NAME",
      help: "the Gateway's name in messages, the same on every host; default `default`",
    },
    owner: { type: "string", value: "LABEL", help: "the `owner` that messages carry" },
    session: { type: "string", value: "WHICH", help: "`all` conversations (default), or those of `collavre`" },
    json: { type: "boolean", help: "one line of JSON a message, and nothing else on stdout" },
    ledger: { type: "string", value: "FILE", help: "remember messages in this file; made when it is not there" },
    webhook: { type: "string", value: "URL", help: "post each message to this address" },
    ...inspectOptions,
    ...statelyOptions,
    "log-level": { ...logLevelOption, help: `${logLevelOption.help}; default info` },
  },
  async run(values, positionals, terminal) {
    const port = inspectPort(values, positionals);
    const { name, owner, ledger } = values;
    const source = gatewayFromFlags(values, {
      ...(name !== undefined && { name }),
      ...(owner !== undefined && { owner }),
    });
    const session = readSession(values.session);
    const logger = createLogger(terminal, values["log-level"], "info");
    const post = values.webhook === undefined ? undefined : webhookTo(values.webhook);
    const printer = createPrinter(terminal, { json: values.json });
    await using stately = values.stately === true ? await serveStately(terminal) : undefined;
    await using inbox = createInbox({
      source,
      ...(stately && { inspect: stately.inspect }),
      ...(session && { session }),
      ...(ledger !== undefined && { ledger }),
      deliver: post ?? printer.deliver,
      logger,
    });
    if (post !== undefined) {
      // Printed after the post, not in the handler: a stdout that fails must not post a message again.
      inbox.deliveries$.subscribe(({ status, message }) => {
        if (status === "delivered") void printer.message(message);
      });
    }
    await using _inspector =
      port === undefined ? undefined : await serveInspector(inbox, port, values["show-text"], terminal);
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
  },
});

/** Resolves when no link will come back by itself, with what a person must mend. */
function allPaused(inbox: Inbox): Promise<{ readonly reason: string }> {
  return firstValueFrom(
    inbox.links$.pipe(
      filter(() => inbox.links().every(({ state }) => state === "paused")),
      map(({ reason = "The Gateway refused the connection." }) => ({ reason })),
    ),
    // Stopped by a signal: the other side of the race has won.
    { defaultValue: { reason: "" } },
  );
}

function readSession(which: string | undefined): typeof collavre | undefined {
  if (which === undefined || which === "all") return undefined;
  if (which === "collavre") return collavre;
  throw new UsageError(`Expected \`--session\` to be \`all\` or \`collavre\`, got \`${which}\``);
}

function webhookTo(url: string): Deliver {
  const variable = "OPENCLAW_INBOX_WEBHOOK_SECRET";
  const secret = process.env[variable];
  if (secret === undefined || secret === "") throw new UsageError(`Expected the secret of --webhook in ${variable}`);
  return fromFlags(
    new Map([
      ["url", "--webhook"],
      ["secret", variable],
    ]),
    () => webhook({ url, secret }),
  );
}
