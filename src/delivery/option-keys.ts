import { InboxError } from "../errors.ts";

/**
 * Refuses an option that is not one of `known`, so that a typo is an error and not a silent default.
 * The value is not quoted: it may be a secret.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` naming the option and the known ones.
 */
export function assertKnownKeys(of: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new InboxError(
      "ERR_INBOX_OPTION",
      `Expected the options of ${of} to be of ${known.map((name) => `\`${name}\``).join(", ")}, got \`${key}\``,
      {
        option: key,
      },
    );
  }
}
