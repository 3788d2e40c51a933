/** Remembers which sections are folded. On a narrow screen the diagrams start folded. */
export function rememberFolds() {
  for (const fold of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.fold"))) {
    const name = `openclaw-inbox ${fold.id}`;
    const kept = localStorage.getItem(name);
    if (kept !== null) fold.open = kept === "open";
    else if (matchMedia("(max-width: 1000px)").matches) fold.open = false;
    fold.addEventListener("toggle", () => localStorage.setItem(name, fold.open ? "open" : "folded"));
  }
}
