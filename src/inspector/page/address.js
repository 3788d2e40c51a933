/**
 * The run or the dead letter that the page's address names. It can be linked to, and is a step in the browser's
 * history. A run has its number. After a restart the number may belong to another run, so the run's id is in the
 * address, too.
 *
 * @typedef {{ kind: "run", number: number, runId: string } | { kind: "letter", id: string }} Place
 */

/**
 * @param {Place} place
 * @returns {string}
 */
function addressOf(place) {
  return place.kind === "run"
    ? `#run/${place.number}/${encodeURIComponent(place.runId)}`
    : `#letter/${encodeURIComponent(place.id)}`;
}

/** The place that the address names; undefined for the page itself. @returns {Place | undefined} */
export function placeOfPage() {
  const [kind, first = "", second = ""] = location.hash.slice(1).split("/");
  if (kind === "letter") return { kind, id: decoded(first) };
  return kind === "run" && /^-?\d+$/.test(first) ? { kind, number: Number(first), runId: decoded(second) } : undefined;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Goes to a place and adds a step to the history. @param {Place} place */
export function goTo(place) {
  history.pushState({ isOurs: true }, "", addressOf(place));
}

/** Changes the address without a step in the history. @param {Place} place */
export function correctTo(place) {
  history.replaceState(history.state, "", addressOf(place));
}

/** Leaves a place: goes back if we came from the page itself. */
export function leave() {
  if (placeOfPage() === undefined) return;
  if (history.state?.isOurs === true) history.back();
  else history.replaceState(null, "", location.pathname + location.search);
}
