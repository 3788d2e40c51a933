import { createInbox } from "../../inbox.ts";
import { recordingSource } from "../../source/recording/recording.ts";
import { fromFlags, onlyArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { createLogger, logLevelOption } from "../logger.ts";
import { plainText } from "../plain-text.ts";
import { createPrinter } from "../printer.ts";
import { showProgress } from "../progress.ts";
import { summaryLine } from "../summary.ts";

export const replay = defineCommand({
  usage: ["replay FILE [options]"],
  about: `Plays a recording that \`record\` has written through an inbox, and prints the messages. The last
line has the counters. With --json that line goes to stderr, so that stdout is JSON only.`,
  options: {
    speed: {
      type: "string",
      value: "N",
      help: "times faster than recorded: 1 is the recorded pace; default: without pauses",
    },
    json: { type: "boolean", help: "one line of JSON per message" },
    "log-level": { ...logLevelOption, help: `${logLevelOption.help}; default warn` },
  },
  async run(values, positionals, terminal, nameOf) {
    const file = onlyArgument(positionals, "the FILE to play");
    const speed = values.speed === undefined ? Number.POSITIVE_INFINITY : Number(values.speed || Number.NaN);
    const source = fromFlags(new Map([["speed", "--speed"]]), () => recordingSource(file, { speed }));
    const logger = createLogger(terminal, values["log-level"], "warn", nameOf("log-level"));
    const printer = createPrinter(terminal, { json: values.json });
    await using inbox = createInbox({ source, deliver: printer.deliver, logger });
    inbox.outcomes$.subscribe(printer.outcome);
    const endProgress = showProgress(inbox, terminal);
    await inbox.start();
    await source.finished;
    endProgress();
    const unreadable = inbox.links().find(({ state }) => state === "paused");
    await inbox.stop();
    if (unreadable === undefined && inbox.stats().frames === 0) {
      terminal.note(`openclaw-inbox: The recording ${plainText(file)} is empty`);
      return exitCode.failure;
    }
    if (unreadable !== undefined) {
      terminal.note(`openclaw-inbox: ${plainText(unreadable.reason ?? `Cannot read ${file}`)}`);
      return exitCode.failure;
    }
    if (values.json === true) terminal.note(summaryLine(inbox.stats()));
    else await terminal.print(summaryLine(inbox.stats()));
    return exitCode.ok;
  },
});
