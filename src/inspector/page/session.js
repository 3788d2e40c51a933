import { element } from "./dom.js";

/** How much of a session key a line shows, in characters: its end, which tells one from the other. Less on a narrow screen. */
const SHOWN_CHARS = 56;
const SHOWN_NARROW_CHARS = 30;

const narrow = matchMedia("(max-width: 560px)");

/**
 * A text that may break after its colons, as nodes.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function breakable(text) {
  return text.split(/(?<=:)/).flatMap((part) => [part, element("wbr")]);
}

/**
 * A session key, as {@link breakable} gives it; of a long one the last parts.
 * @param {string} key
 */
export function shownKey(key) {
  return breakable(endOfKey(key, narrow.matches ? SHOWN_NARROW_CHARS : SHOWN_CHARS));
}

/**
 * @param {string} key
 * @param {number} chars
 */
function endOfKey(key, chars) {
  if (key.length <= chars) return key;
  const parts = key.split(":");
  let end = parts.pop() ?? "";
  for (let part = parts.pop(); part !== undefined && part.length + end.length < chars; part = parts.pop())
    end = `${part}:${end}`;
  return end.length > chars ? `…${end.slice(-chars)}` : `…:${end}`;
}
