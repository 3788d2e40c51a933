/** Makes a function that removes every one of `secrets` from a text. */
export function createCleaner(secrets: readonly (string | undefined)[]): (text: string) => string {
  const known = secrets
    .filter((secret) => secret !== undefined && secret.trim() !== "")
    .map((secret) => (secret as string).trim());
  return (text) => known.reduce((cleaned, secret) => cleaned.replaceAll(secret, "***"), text);
}

const secretField = /^(nonce|token|password|secret|signature|recoveryScope|[a-z]+(Token|Secret|Password))$/;

/** Gateways nest about ten levels. Writing JSON takes a stack frame per level, so a peer must not choose the number. */
const MAX_LEVELS = 200;

/**
 * The JSON of a frame or payload. Every text under a secret's name becomes `<redacted>`, at any depth.
 *
 * @throws {Error} when it is nested more than 200 levels deep, or is not JSON (a circle, a bigint, a getter that
 * throws).
 */
export function redactedJson(value: unknown): string {
  const levels = new WeakMap<object, number>();
  const json: string | undefined = JSON.stringify(value, function (this: object, key, part: unknown) {
    if (typeof part === "string") return secretField.test(key) ? "<redacted>" : part;
    if (typeof part !== "object" || part === null) return part;
    const level = (levels.get(this) ?? -1) + 1;
    if (level > MAX_LEVELS) throw new RangeError(`nested more than ${MAX_LEVELS} levels deep`);
    levels.set(part, level);
    return part;
  });
  return json ?? "null";
}

/** A copy of a frame or payload without its secrets. Throws like {@link redactedJson}. */
export function redactSecrets<T>(value: T): T {
  return JSON.parse(redactedJson(value)) as T;
}
