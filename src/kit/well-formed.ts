/**
 * Makes a text that every language and database accepts. A surrogate without its other half becomes U+FFFD; NUL is left
 * out, because Postgres refuses it. Returns the same string when nothing is wrong with it.
 */
export function wellFormed(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "") : whole;
}
