const ENCODED = "#json:";

/** A text in a form for a text column, which cannot hold NUL or half a surrogate pair. */
export function textToStore(value: string): string {
  const fits = !value.includes("\0") && value.isWellFormed() && !value.startsWith(ENCODED);
  return fits ? value : ENCODED + JSON.stringify(value);
}

/** The original text. */
export function storedText(value: string): string {
  return value.startsWith(ENCODED) ? (JSON.parse(value.slice(ENCODED.length)) as string) : value;
}
