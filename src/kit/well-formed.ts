/**
 * A text that every language and database takes: a surrogate without its other half becomes U+FFFD, and NUL, which
 * Postgres refuses, is left out. The same string when nothing is wrong with it.
 */
export function wellFormed(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "") : whole;
}
