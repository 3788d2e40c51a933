import type { Subscription } from "rxjs";
import type { Inbox } from "../inbox-api.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { startTimer } from "../kit/timer.ts";
import type { Logger } from "../types.ts";
import { plainText } from "./plain-text.ts";
import type { Terminal } from "./terminal.ts";

/** After how long a Gateway that is still not there is named, in ms. */
const PATIENCE_MS = 5_000;

/**
 * Says in one line what the inbox listens to and how to stop it. The line goes to the terminal, or else to the log.
 * After five seconds it names the Gateways that are still missing.
 */
export function announceListening(
  inbox: Inbox,
  terminal: Terminal | undefined,
  logger: Logger,
  postsTo: string | undefined,
  clock: Clock = systemClock,
): Disposable {
  let announced = false;
  const say = (sentence: string, fields: object) =>
    terminal === undefined ? logger.info(fields, sentence) : terminal.note(plainText(`${sentence}.`));

  const gateways = () => [...new Set(inbox.links().map(({ gateway }) => gateway))].join(", ");
  const patience = startTimer(clock, PATIENCE_MS, () => {
    for (const { gateway, state, reason } of inbox.links()) {
      if (state === "live" || state === "recovering") continue;
      say(`Still waiting for ${gateway}: ${reason?.replace(/\.$/, "") ?? "nothing answers there yet"}`, { gateway });
    }
  });
  const subscription: Subscription = inbox.links$.subscribe(() => {
    if (announced || !inbox.links().every(({ state }) => state === "live")) return;
    announced = true;
    patience.cancel();
    const target = postsTo === undefined ? "messages appear here" : `messages are posted to ${postsTo}`;
    say(`Listening to ${gateways()}: ${target}; Ctrl-C stops it`, { gateways: gateways() });
  });
  return {
    [Symbol.dispose]() {
      patience.cancel();
      subscription.unsubscribe();
    },
  };
}
