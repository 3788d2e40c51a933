import { MAIN_SESSION, said, unique } from "../acts.ts";
import type { Stage } from "../scenario.ts";
import { startStubTelegram } from "../telegram.ts";
import type { Speech, Way } from "../way.ts";

/** A person writes to the agent in a channel. The Gateway is started anew, with the channel. */
export const channelWays: readonly Way[] = [{ name: "reply in Telegram", place: "gateway", prepare: telegram }];

async function telegram({ gateway, operator, model, inbox, defer }: Stage): Promise<Speech> {
  const bot = await startStubTelegram();
  defer(() => bot.close());
  await gateway.kill("SIGTERM");
  await gateway.configure({ telegramUrl: bot.url });
  await gateway.start();
  await inbox.live("after the Gateway was started with Telegram");
  const text = unique("An answer in Telegram.");
  return async () => {
    // Without a directive: a Gateway quotes what was written before beside the prompt.
    model.otherwise = text;
    const before = operator.heard.items.length;
    bot.write("Hello?");
    await said(operator, text);
    // It begins under the channel's key, and ends under the session's.
    await operator.heard.when("the run to end", ({ payload }) => payload.phase === "end", before);
    return { sessionKey: MAIN_SESSION, texts: [text] };
  };
}
