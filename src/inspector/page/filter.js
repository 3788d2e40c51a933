import { byId } from "./dom.js";

/** @import {FoundRuns} from "../wire.ts" */

/** How long after a key press the list is requested, and the shortest time between two requests, in ms. */
const TYPED_MS = 150;
const PAUSE_MS = 1_000;

/**
 * The search. `onFound` gets the matching runs, or undefined when the search is over.
 * @param {(found: FoundRuns | undefined) => void} onFound
 */
export function createFilter(onFound) {
  const form = /** @type {HTMLFormElement} */ (byId("filter"));
  const words = /** @type {HTMLInputElement} */ (byId("filter-words"));
  const outcome = /** @type {HTMLSelectElement} */ (byId("filter-outcome"));
  const origin = /** @type {HTMLSelectElement} */ (byId("filter-origin"));
  let query = "";
  let askedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function ask() {
    const asked = query;
    askedAt = performance.now();
    try {
      const response = await fetch(`runs?${asked}`);
      if (response.ok && asked === query) onFound(await response.json());
    } catch {
      // The server is away. The page shows that and asks again.
    }
  }

  function change() {
    clearTimeout(timer);
    const isEmpty = words.value.trim() === "" && outcome.value === "" && origin.value === "";
    query = isEmpty
      ? ""
      : String(new URLSearchParams({ q: words.value, outcome: outcome.value, origin: origin.value }));
    byId("filter-clear").hidden = isEmpty;
    if (isEmpty) onFound(undefined);
    else timer = setTimeout(ask, TYPED_MS);
  }

  form.addEventListener("input", change);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(change));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]"))
      return;
    event.preventDefault();
    words.focus();
  });

  return {
    /** Whether there is a search. */
    get isOn() {
      return query !== "";
    },
    /** There are new runs, and some may match. */
    refresh() {
      if (query !== "" && performance.now() - askedAt >= PAUSE_MS) void ask();
    },
  };
}
