import { sayAloud } from "./aloud.js";
import { element, setText } from "./dom.js";

/** How long a button shows that it has copied, in ms. */
const SAID_MS = 1_500;

/**
 * A button that copies a text.
 * @param {string} text
 * @param {string} what As in "Copy the message id".
 */
export function copyButton(text, what) {
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    const isDone = await copy(text);
    setText(button, isDone ? "Copied" : "Select it");
    sayAloud(isDone ? `Copied ${what}` : "Your browser does not let this page copy");
    setTimeout(() => setText(button, "Copy"), SAID_MS);
  });
  return button;
}

/**
 * Resolves to whether the text is in the clipboard. Browsers allow this only to a page on this machine or over TLS.
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
