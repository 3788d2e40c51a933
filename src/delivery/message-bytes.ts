import type { ProactiveMessage } from "../types.ts";

/** How much memory a message takes, in bytes, at two bytes a character. Its own ids and its session are not counted. */
export function messageBytes({ text, attachments }: ProactiveMessage): number {
  return 2 * attachments.reduce((chars, { id = "", name = "" }) => chars + id.length + name.length, text.length);
}
