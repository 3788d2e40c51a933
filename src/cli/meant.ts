import { nearest } from "../kit/nearest.ts";

/** `; did you mean ...?` where one of `names` is near. */
export function meant(word: string, names: Iterable<string>, prefix = ""): string {
  const name = nearest(word, names);
  return name === undefined ? "" : `; did you mean \`${prefix}${name}\`?`;
}
