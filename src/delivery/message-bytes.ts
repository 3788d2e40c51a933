import type { ProactiveMessage } from "../types.ts";

/** What a message takes in memory, in bytes, at two bytes a character. Its ids and its session are not counted. */
export function messageBytes({ text }: ProactiveMessage): number {
  return 2 * text.length;
}
