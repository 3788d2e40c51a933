import type { Rival, Said } from "./rival.ts";

interface Buffered {
  text: string;
  readonly sessionKey: string;
  readonly startedAt: number;
}

interface Frame {
  readonly type: string;
  readonly event: string;
  readonly payload: {
    readonly runId?: string;
    readonly sessionKey: string;
    readonly state: string;
    readonly message?: { readonly content: string | readonly { readonly type: string; readonly text: string }[] };
  };
}

const REMEMBERED_MS = 60_000;

/**
 * A lower bound: `JSON.parse` and the model's algorithm in a bare `Map`. It buffers by run, prefers the final's own
 * text, and remembers for a minute what it has delivered. It has no timeouts, dedup, limits, counters, states or
 * message ids, and knows only one generation of the wire.
 */
export function createFloor(): Rival {
  const runs = new Map<string, Buffered>();
  const handedOver = new Map<string, number>();
  let said: Said[] = [];

  function take(data: string): void {
    const { type, event, payload } = JSON.parse(data) as Frame;
    if (type !== "event" || event !== "chat") return;
    const { runId, state } = payload;
    if (runId === undefined) return;
    if (state === "delta") buffer(runId, payload);
    else if (state === "final") finish(runId, payload);
    else if (state === "error" || state === "aborted") runs.delete(runId);
  }

  function buffer(runId: string, payload: Frame["payload"]): void {
    const run = runs.get(runId);
    const text = textOf(payload);
    if (run !== undefined) run.text = text;
    else runs.set(runId, { text, sessionKey: payload.sessionKey, startedAt: Date.now() });
  }

  function finish(runId: string, payload: Frame["payload"]): void {
    const own = textOf(payload);
    const text = own === "" ? (runs.get(runId)?.text ?? "") : own;
    runs.delete(runId);
    const now = Date.now();
    if (handedOver.has(runId) || text.trim() === "") return;
    for (const [oldest, at] of handedOver) {
      if (now - at < REMEMBERED_MS) break;
      handedOver.delete(oldest);
    }
    handedOver.set(runId, now);
    said.push({ runId, text });
  }

  return {
    take,
    messages: () => {
      const messages = said;
      said = [];
      return messages;
    },
    close: () => runs.clear(),
  };
}

function textOf({ message }: Frame["payload"]): string {
  if (message === undefined) return "";
  const { content } = message;
  if (typeof content === "string") return content;
  let text = "";
  for (const block of content) if (block.type === "text") text += block.text;
  return text;
}
