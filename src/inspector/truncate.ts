/** The first `maxChars` characters, as a copy. A slice would keep the whole text in memory. */
export function beginningOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${copied(text.slice(0, maxChars))}…`;
}

/** The last `maxChars` characters, as a copy. */
export function endOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `…${copied(text.slice(-maxChars))}`;
}

function copied(slice: string): string {
  // UTF-16 keeps every text as it is, even a surrogate pair that was cut in half.
  return Buffer.from(slice, "utf16le").toString("utf16le");
}
