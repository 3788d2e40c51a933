/** The first `maxChars` characters, as a string of its own: a slice would hold the whole text in memory. */
export function beginningOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${copied(text.slice(0, maxChars))}…`;
}

/** The last `maxChars` characters, as {@link beginningOf} gives the first. */
export function endOf(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `…${copied(text.slice(-maxChars))}`;
}

function copied(slice: string): string {
  // Two bytes a character, whatever the text: a pair of surrogates that the cut has parted stays as it is.
  return Buffer.from(slice, "utf16le").toString("utf16le");
}
