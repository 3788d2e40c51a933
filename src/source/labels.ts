import { optionError } from "../errors.ts";

/**
 * Checks what every source is labelled with.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a `name` that is empty, or an `owner` that is no string.
 */
export function assertLabels(name: unknown, owner: unknown): void {
  if (typeof name !== "string" || name === "") throw optionError("name", "a string that is not empty", name);
  if (owner !== undefined && typeof owner !== "string") throw optionError("owner", "a string", owner);
}
