/** A function that blanks every one of `secrets` out of a text. */
export function createCleaner(secrets: readonly (string | undefined)[]): (text: string) => string {
  const known = secrets
    .filter((secret) => secret !== undefined && secret.trim() !== "")
    .map((secret) => (secret as string).trim());
  return (text) => known.reduce((cleaned, secret) => cleaned.replaceAll(secret, "***"), text);
}

const secretField = /^(nonce|token|password|secret|signature|recoveryScope|[a-z]+(Token|Secret|Password))$/;

/** A copy of a frame or payload in which every text under a secret's name reads `<redacted>`, at any depth. */
export function redactSecrets<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, part: unknown) =>
      typeof part === "string" && secretField.test(key) ? "<redacted>" : part,
    ),
  ) as T;
}
