// Control characters (C1 too) and marks that change the direction of text. A peer must not control the terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** A peer's text without the characters that could control the terminal. Line breaks and tabs stay. */
export function plainText(text: string): string {
  return text.replace(unsafe, "");
}

/** The same on one line. */
export function plainLine(text: string): string {
  return plainText(text).replace(/\s+/g, " ").trim();
}
