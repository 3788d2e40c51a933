import { randomUUID } from "node:crypto";
import { abortedRequest, noLink, refusedRequest, unanswered, unsendable } from "../request-error.ts";
import type { GatewayRequest } from "../source.ts";

/** Requests over a socket that is shared with its host. */
export interface SocketRequests {
  readonly request: GatewayRequest;
  /** Whether `frame` answers one of these requests, in time or too late. The caller of that request gets the answer. */
  takeAnswer(frame: unknown): boolean;
  /** Rejects every request that waits, because the socket is closed. */
  endAll(): void;
}

/** The part of a WebSocket that requests need. */
export interface RequestSocket {
  readonly readyState: number;
  send(data: string, sent: (error?: Error | null) => void): void;
}

interface Pending {
  readonly method: string;
  readonly finish: (outcome: { readonly payload: unknown } | { readonly error: Error }) => void;
}

const idPrefix = "inbox-";

/** Makes {@link SocketRequests} for one socket to the Gateway `gateway`. */
export function createSocketRequests(ws: RequestSocket, gateway: string, timeoutMs: number): SocketRequests {
  const pending = new Map<string, Pending>();

  const request: GatewayRequest = (method, params, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (ws.readyState !== 1) return reject(noLink(method, gateway));
      if (signal?.aborted) return reject(abortedRequest({ method, gateway }));
      const id = `${idPrefix}${randomUUID()}`;

      const finish: Pending["finish"] = (outcome) => {
        if (!pending.delete(id)) return;
        clearTimeout(timer);
        signal?.removeEventListener("abort", handleAbort);
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.payload);
      };
      const handleAbort = () => finish({ error: abortedRequest({ method, gateway }) });
      // The socket keeps the process alive as long as an answer can come.
      const timer = setTimeout(() => finish({ error: unanswered({ method, gateway }, timeoutMs) }), timeoutMs).unref();

      pending.set(id, { method, finish });
      signal?.addEventListener("abort", handleAbort);
      const failed = (error: unknown) => finish({ error: unsendable({ method, gateway }, String(error)) });
      try {
        ws.send(JSON.stringify({ type: "req", id, method, params }), (error) => error && failed(error));
      } catch (error) {
        failed(error);
      }
    });

  return {
    request,
    takeAnswer(frame) {
      const answer = readAnswer(frame);
      if (answer === undefined) return false;
      const waiting = pending.get(answer.id);
      if (answer.ok === true) waiting?.finish({ payload: answer.payload });
      else waiting?.finish({ error: refusedRequest(answer.error, { method: waiting.method, gateway }) });
      return true;
    },
    endAll() {
      for (const { method, finish } of [...pending.values()]) finish({ error: noLink(method, gateway) });
    },
  };
}

interface Answer {
  readonly id: string;
  readonly ok?: unknown;
  readonly payload?: unknown;
  readonly error?: unknown;
}

/**
 * A `res` frame with one of our ids. Only a frame that holds such an id is parsed here. All others are parsed only
 * once, elsewhere.
 */
function readAnswer(frame: unknown): Answer | undefined {
  if (typeof frame !== "string" && !Buffer.isBuffer(frame)) return undefined;
  if (!frame.includes(`"${idPrefix}`)) return undefined;
  try {
    const { type, ...answer } = JSON.parse(String(frame)) as Answer & { readonly type?: unknown };
    return type === "res" && typeof answer.id === "string" && answer.id.startsWith(idPrefix) ? answer : undefined;
  } catch {
    return undefined;
  }
}
