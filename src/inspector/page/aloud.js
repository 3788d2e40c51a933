import { byId, setText } from "./dom.js";

/**
 * Says something to those who listen to the page.
 * @param {string} text
 */
export function sayAloud(text) {
  setText(byId("said-aloud"), text);
}
