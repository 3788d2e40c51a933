import { element } from "./dom.js";

/**
 * How many characters of a session key a line shows. It shows the end, where keys differ. On a narrow screen it shows
 * less.
 */
const SHOWN_CHARS = 56;
const SHOWN_NARROW_CHARS = 30;

const narrow = matchMedia("(max-width: 560px)");

/**
 * A text that may be wrapped after its colons, as nodes.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function breakable(text) {
  return text.split(/(?<=:)/).flatMap((part) => [part, element("wbr")]);
}

/**
 * A session key that may be wrapped. Of a long key only the last parts are shown.
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
