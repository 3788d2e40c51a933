import { optionError } from "../errors.ts";
import { isTooLongAnId, MAX_ID_CHARS } from "../protocol/fields.ts";

/**
 * Checks what every source is labelled with.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a `name` that is empty, an `owner` that is no string, or one of them too long.
 */
export function assertLabels(name: unknown, owner: unknown): void {
  if (typeof name !== "string" || name === "") throw optionError("name", "a string that is not empty", name);
  if (owner !== undefined && typeof owner !== "string") throw optionError("owner", "a string", owner);
  const longest = `at most ${MAX_ID_CHARS} characters long`;
  if (isTooLongAnId(name)) throw optionError("name", longest, name);
  if (isTooLongAnId(owner)) throw optionError("owner", longest, owner);
}
