import { defineSessionKey } from "./protocol/session-key.ts";
import type { ProactiveMessage } from "./types.ts";

const readCollavreKey = defineSessionKey({
  agent: { as: "agentId" },
  collavre: { as: "userId", type: "integer" },
  creative: { as: "creativeId", type: "integer" },
  topic: { as: "topicId", type: "integer" },
});

/**
 * Reads Collavre's session keys, `agent:<agentId>:collavre:<userId>[:creative:<id>][:topic:<id>]`. The case of words is
 * ignored. Ids are integers. A value that is not an integer is left out and never read as 0. A blank key gives an empty
 * object.
 */
export function parseSessionKey(sessionKey: string | null | undefined): ReturnType<typeof readCollavreKey> {
  return readCollavreKey(sessionKey?.toLowerCase());
}

/** A conversation of Collavre. */
export type CollavreSession = ReturnType<typeof parseSessionKey> & { readonly creativeId: number };

/**
 * The `session` option for Collavre. A conversation is ours if its key names a creative; else the result is undefined.
 *
 * @example
 * createInbox({ gateway, session: collavre, deliver: (message) => addComment(collavreJob(message)) });
 */
export function collavre(sessionKey: string): CollavreSession | undefined {
  const session = parseSessionKey(sessionKey);
  return session.creativeId === undefined ? undefined : { ...session, creativeId: session.creativeId };
}

/** What Collavre's job queue gets for a message: the comment to write, where, and for whom. */
export interface CollavreJob {
  readonly type: "proactive";
  readonly content: string;
  readonly creative_id: number;
  /** The user in the session key, or null. */
  readonly user_id: number | null;
  readonly context: { readonly creative_id: number; readonly thread_id: number | null };
}

/** Makes the job for a message that was read with the {@link collavre} preset. */
export function collavreJob(message: ProactiveMessage<CollavreSession>): CollavreJob {
  const { creativeId, topicId, userId } = message.session;
  return {
    type: "proactive",
    content: message.text,
    creative_id: creativeId,
    user_id: userId ?? null,
    context: { creative_id: creativeId, thread_id: topicId ?? null },
  };
}
