import type { Inbox } from "../../src/inbox-api.ts";
import type { TestClock } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { NOON, topic } from "./hearing.ts";
import { type Params, type ScriptedSource, scriptedSource } from "./scripted-source.ts";

/** The one session of the Gateway. */
export const SESSION = topic(1);

/** A Gateway of 2026.5.12 with one session, whose rows the test writes. */
export interface OldSource extends ScriptedSource {
  /** Sends the last row as an event. */
  announce(): void;
  /** Loses the connection and waits until `inbox` is live again. */
  backTo(inbox: Inbox): Promise<void>;
}

export function oldSource({ clock, rows }: { clock: TestClock; rows: readonly object[] }): OldSource {
  const source = scriptedSource(
    "one",
    async (method, { limit = 200 }: Params) => {
      if (method === "chat.history") return { sessionId: "life-1", messages: rows.slice(-(limit as number)) };
      if (method !== "sessions.list") return {};
      return { ts: clock.now(), sessions: [{ key: SESSION, sessionId: "life-1", updatedAt: NOON + rows.length }] };
    },
    { server: { version: "2026.5.12" } },
  );
  return {
    ...source,
    announce: () => source.event("session.message", { sessionKey: SESSION, sessionId: "life-1", message: rows.at(-1) }),
    async backTo(inbox) {
      source.comeBack();
      await until(() => inbox.links()[0]?.state === "live", "the link to be live");
    },
  };
}

/** Lets this many seconds pass, with everything that is in progress before each and after the last. */
export async function later(clock: TestClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await turns();
    clock.advance(1_000);
  }
  await turns();
}

/** Lets what is in progress go on. */
export async function turns(): Promise<void> {
  for (let n = 0; n < 20; n += 1) await turn();
}
