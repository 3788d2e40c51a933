import { setTimeout } from "node:timers/promises";
import type { LinkEvent } from "../../../machines/link.ts";
import type { Source } from "../../source/source.ts";
import { assertNoArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { exitCode } from "../exit-code.ts";
import { gatewayFrom, gatewayOptions } from "../gateway-flags.ts";
import { plainText } from "../plain-text.ts";
import { listenForStop } from "../signals.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

/** How often to ask whether the pairing was approved, in ms. */
const ASK_EVERY_MS = 3_000;

export const pair = defineCommand({
  usage: ["pair --url URL --device FILE [options]"],
  about: `A Gateway on another machine accepts only devices that it knows. This creates the key of this host
in FILE, asks the Gateway to pair it, and prints the command to run on the Gateway's host. It waits
until the pairing is approved. Then start \`listen\` with the same --device.`,
  options: gatewayOptions,
  async run(values, positionals, terminal, nameOf) {
    assertNoArgument(positionals);
    if (values.device === undefined)
      throw new UsageError("Expected the file for the key of this host: --device FILE or OPENCLAW_INBOX_DEVICE");
    const source = gatewayFrom(values, nameOf);
    const stop = listenForStop();
    const stopped = new AbortController();
    void stop.received.then(() => stopped.abort());
    try {
      return await pairing(source, terminal, stopped.signal);
    } finally {
      await source.close();
      stop.release();
    }
  },
});

async function pairing(source: Source, terminal: Terminal, signal: AbortSignal): Promise<number> {
  let shown = "";
  while (!signal.aborted) {
    const end = await attempt(source, terminal, signal);
    await source.close();
    if (end === undefined) break;
    if (end.type === "hello") {
      terminal.note(shown === "" ? "This device is paired already. There is nothing to approve." : "Paired.");
      return exitCode.ok;
    }
    if (end.type !== "refused" || end.code !== "PAIRING_REQUIRED") {
      terminal.note(`openclaw-inbox: ${plainText(end.reason)}`);
      return exitCode.paused;
    }
    const command = /`(openclaw devices approve [^`]+)`/.exec(end.reason)?.[1] ?? "openclaw devices list";
    if (command !== shown) {
      terminal.note(
        `The Gateway asks for approval. Run this on its host:\n\n  ${plainText(command)}\n\nWaiting; Ctrl-C stops.`,
      );
      shown = command;
    }
    await setTimeout(ASK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  terminal.note("Stopped. The request stays with the Gateway for a while.");
  return exitCode.failure;
}

type End = Extract<LinkEvent, { readonly type: "hello" | "refused" }>;

/** Makes one connection. Resolves when it is accepted or refused, or with undefined when `signal` is aborted first. */
function attempt(source: Source, terminal: Terminal, signal: AbortSignal): Promise<End | undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    let told = "";
    source.open({
      frame() {},
      link(event) {
        if (event.type === "hello" || event.type === "refused") resolve(event);
        if (event.type !== "lost" || event.reason === told) return;
        told = event.reason;
        terminal.note(plainText(`${event.reason} Trying again.`));
      },
    });
  });
}
