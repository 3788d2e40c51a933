/** @import {Update} from "../wire.ts" */

/** @typedef {"connecting" | "watching" | "lost" | "refused"} StreamState */

/**
 * Listens to the server and comes back by itself after it has been away.
 * @param {{ onUpdate: (update: Update) => void, onState: (state: StreamState) => void }} listener
 */
export function listen({ onUpdate, onState }) {
  /** How long until the next attempt after the browser has given up, in ms: the server may be another by then. */
  const retryMs = 3_000;
  const source = new EventSource("updates");
  source.addEventListener("open", () => onState("watching"));
  source.addEventListener("update", (event) => onUpdate(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    // A refusal is final for the browser; a lost connection it takes up again.
    if (source.readyState !== EventSource.CLOSED) return onState("lost");
    onState("refused");
    setTimeout(() => listen({ onUpdate, onState }), retryMs);
  });
}
