import { nearest } from "../kit/nearest.ts";

/** `; did you mean ...?` when one of `names` is similar; else empty. */
export function meant(word: string, names: Iterable<string>, prefix = ""): string {
  const name = nearest(word, names);
  return name === undefined ? "" : `; did you mean \`${prefix}${name}\`?`;
}
