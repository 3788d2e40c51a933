import { isInboxError } from "../errors.ts";
import { UsageError } from "./usage-error.ts";

/**
 * The argument of a command that takes exactly one.
 *
 * @throws {UsageError} when there is none, or more than one.
 */
export function onlyArgument(positionals: readonly string[], noun: string): string {
  const [argument, ...others] = positionals;
  if (argument === undefined || argument === "") throw new UsageError(`Expected ${noun}`);
  assertNoArgument(others);
  return argument;
}

/** @throws {UsageError} when there is an argument. */
export function assertNoArgument([argument]: readonly string[]): void {
  // The argument is not quoted, because it may be a token without its option.
  if (argument !== undefined) throw new UsageError("Expected no further argument");
}

/**
 * Calls `make`. When the library refuses an option, the error names the option as the user wrote it, by `names`.
 *
 * @throws {UsageError} for such an option.
 */
export function fromFlags<T>(names: ReadonlyMap<string, string>, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!isInboxError(error, "ERR_INBOX_OPTION")) throw error;
    const option = String(error.details["option"]);
    throw new UsageError(error.message.replace(`\`${option}\``, `\`${names.get(option) ?? option}\``));
  }
}
