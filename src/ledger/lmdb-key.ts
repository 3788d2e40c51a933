import { createHash } from "node:crypto";

/**
 * Ids and names as LMDB keys. LMDB takes at most 1,978 bytes, no NUL, and half a surrogate pair
 * does not survive UTF-8, so whatever is long or unusual is replaced by its hash.
 */
export function keyOf(name: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(name)) return `=${name}`;
  return `#${createHash("sha256").update(name, "utf16le").digest("hex")}`;
}
