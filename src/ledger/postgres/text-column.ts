const ENCODED = "#json:";

/** A text as it stands in a text column, which holds no NUL and no half of a character. */
export function textToStore(value: string): string {
  const fits = !value.includes("\0") && value.isWellFormed() && !value.startsWith(ENCODED);
  return fits ? value : ENCODED + JSON.stringify(value);
}

/** The text again. */
export function storedText(value: string): string {
  return value.startsWith(ENCODED) ? (JSON.parse(value.slice(ENCODED.length)) as string) : value;
}
