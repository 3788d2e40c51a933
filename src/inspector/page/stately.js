// Sends the inbox's events to Stately's inspector, which asks for them when it has loaded.
const stately = "https://stately.ai";
const frame = /** @type {HTMLIFrameElement} */ (document.getElementById("inspector"));
const note = /** @type {HTMLElement} */ (document.getElementById("note"));

/** Events that wait for the frame. If it never loads, the oldest are dropped. @type {unknown[]} */
const waiting = [];
const MAX_WAITING = 1_000;
let loaded = false;

/** @param {unknown} event */
function hand(event) {
  frame.contentWindow?.postMessage(event, stately);
}

addEventListener("message", ({ origin, data }) => {
  if (origin !== stately || data?.type !== "@statelyai.connected") return;
  loaded = true;
  for (const event of waiting.splice(0)) hand(event);
});

const events = new EventSource("events");
events.addEventListener("message", ({ data }) => {
  const event = JSON.parse(data);
  if (loaded) return hand(event);
  waiting.push(event);
  if (waiting.length > MAX_WAITING) waiting.shift();
});
events.addEventListener("open", () => {
  note.hidden = true;
});
events.addEventListener("error", () => {
  note.hidden = false;
});

frame.src = `${stately}/inspect`;
