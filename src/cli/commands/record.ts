import type { LinkEvent } from "../../../machines/link.ts";
import type { InboxError } from "../../errors.ts";
import { createInbox } from "../../inbox.ts";
import type { Source, SourceListener } from "../../source/source.ts";
import type { Logger } from "../../types.ts";
import { onlyArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { gatewayFrom, gatewayOptions } from "../gateway-flags.ts";
import { createLogger, logLevelOption } from "../logger.ts";
import { plainText } from "../plain-text.ts";
import { createRecordingFile } from "../recording-file.ts";
import { listenForStop } from "../signals.ts";

/** Why the recording ended. */
type Ending = { readonly refused: string } | { readonly error: InboxError } | { readonly signal: NodeJS.Signals };

export const record = defineCommand({
  usage: ["record FILE --url URL [options]"],
  about: `Writes every frame that a Gateway sends us to FILE, one line of JSON per frame, until Ctrl-C or
SIGTERM. \`replay\` plays the file. Tokens and nonces are blanked out, texts of messages are not, so
only the user who records may read the file.`,
  options: {
    ...gatewayOptions,
    force: { type: "boolean", env: false, help: "replace FILE when it is there" },
    "log-level": { ...logLevelOption, help: `${logLevelOption.help}; default info` },
  },
  async run(values, positionals, terminal, nameOf) {
    const file = onlyArgument(positionals, "the FILE to write");
    const gateway = gatewayFrom(values, nameOf);
    const logger = createLogger(terminal, values["log-level"], "info", nameOf("log-level"));
    let end: (ending: Ending) => void = () => {};
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    const recording = createRecordingFile(file, {
      replace: values.force === true,
      onError: (error) => end({ error }),
    });
    const stop = listenForStop();
    const source = overheard(gateway, {
      frame(frame) {
        recording.frame(frame);
        terminal.status(`${recording.writer?.written ?? 0} frames`);
      },
      link(event) {
        recording.link(event);
        logLink(logger, gateway.name, event);
        if (event.type === "refused") end({ refused: event.reason });
      },
    });
    // The inbox subscribes to each session. Otherwise heartbeats and main-session jobs would not be sent.
    const inbox = createInbox({ source });
    inbox.start().catch((error: InboxError) => end({ error }));
    const ending = await Promise.race([ended, stop.received.then((signal): Ending => ({ signal }))]);
    await inbox.stop({ drainMs: 0 });
    stop.release();
    if ("refused" in ending) terminal.note(`openclaw-inbox: ${plainText(ending.refused)}`);
    if ("error" in ending) throw ending.error;
    const { writer } = recording;
    await writer?.finish();
    const { written = 0, dropped = 0 } = writer ?? {};
    terminal.note(`${written} frames written to ${file}${dropped === 0 ? "" : `, ${dropped} dropped`}`);
    if ("refused" in ending) return exitCode.paused;
    return written > 0 && dropped === 0 ? exitCode.ok : exitCode.failure;
  },
});

/** A source that also tells `other`, before its own listener. */
function overheard(source: Source, other: SourceListener): Source {
  const { name, owner, request } = source;
  return {
    name,
    ...(owner !== undefined && { owner }),
    ...(request && { request }),
    close: () => source.close(),
    open: (listener) =>
      source.open({
        ...listener,
        frame(frame) {
          other.frame(frame);
          listener.frame(frame);
        },
        link(event) {
          other.link(event);
          listener.link(event);
        },
      }),
  };
}

function logLink(logger: Logger, gateway: string, event: LinkEvent): void {
  const reason = "reason" in event ? event.reason : undefined;
  logger[event.type === "lost" ? "warn" : "info"]({ gateway, reason }, `link ${event.type}`);
}
