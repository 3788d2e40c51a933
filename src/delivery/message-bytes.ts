import type { ProactiveMessage } from "../types.ts";

/** How much memory a message takes, in bytes, at two bytes a character. Ids and session are not counted. */
export function messageBytes({ text }: ProactiveMessage): number {
  return 2 * text.length;
}
