import type { Inbox } from "../inbox-api.ts";
import type { Terminal } from "./terminal.ts";

const REFRESH_MS = 100;

/** Shows the runs in `buffering` on the terminal's status line, until the returned function is called. */
export function showProgress(inbox: Inbox, terminal: Terminal): () => void {
  if (!terminal.interactive) return () => {};
  const refresh = setInterval(() => terminal.status(progressText(inbox)), REFRESH_MS).unref();
  return () => {
    clearInterval(refresh);
    terminal.status("");
  };
}

function progressText(inbox: Inbox): string {
  const runs = inbox.runs();
  if (runs.length === 0) return "";
  const characters = runs.reduce((sum, { text }) => sum + text.length, 0);
  return `… ${runs.length} ${runs.length === 1 ? "run" : "runs"}, ${characters.toLocaleString("en")} characters so far`;
}
