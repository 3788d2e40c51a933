import { byId, setText } from "./dom.js";

/**
 * Makes screen readers say something.
 * @param {string} text
 */
export function sayAloud(text) {
  setText(byId("said-aloud"), text);
}
