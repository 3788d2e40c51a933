import { InboxError } from "../errors.ts";

/** The error for an option that is not what it should be. `value` is shown, so it must be no secret: see {@link wrongSecret}. */
export function wrong(option: string, expected: string, value: unknown): InboxError {
  const shown = typeof value === "object" && value !== null ? describeObject(value) : `\`${String(value)}\` (${typeof value})`;
  return new InboxError("ERR_INBOX_OPTION", `Expected \`${option}\` to be ${expected}, got ${shown}`, { option });
}

/** As {@link wrong}, for an option whose value may be, or may hold, a secret: `shown` stands for it. */
export function wrongSecret(option: string, expected: string, shown: string): InboxError {
  return new InboxError("ERR_INBOX_OPTION", `Expected \`${option}\` to be ${expected}, got ${shown}`, { option });
}

function describeObject(value: object): string {
  return Array.isArray(value) ? `\`${JSON.stringify(value)}\` (array)` : "an object";
}
