/** @import {Update} from "../wire.ts" */

/** @typedef {"connecting" | "watching" | "lost" | "refused"} StreamState */

/**
 * Listens to the server, and reconnects after the connection was lost.
 * @param {{ onUpdate: (update: Update) => void, onState: (state: StreamState) => void }} listener
 */
export function listen({ onUpdate, onState }) {
  /** How long to wait after the browser has given up, in ms. By then the server may have been restarted. */
  const retryMs = 3_000;
  const source = new EventSource("updates");
  source.addEventListener("open", () => onState("watching"));
  source.addEventListener("update", (event) => onUpdate(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    // After a refusal the browser gives up. After a lost connection it tries again by itself.
    if (source.readyState !== EventSource.CLOSED) return onState("lost");
    onState("refused");
    setTimeout(() => listen({ onUpdate, onState }), retryMs);
  });
}
