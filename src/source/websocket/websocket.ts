import { assertKnownKeys, optionError } from "../../errors.ts";
import { limitRequests } from "../request-limit.ts";
import { assertLabels, type Source, type SourceListener } from "../source.ts";
import { createSocketRequests, type SocketRequests } from "./requests.ts";

/** The part of a `WebSocket` that is used. Any copy of the `ws` package from version 7 on fits. */
export interface HostWebSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount?: number;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  send(data: string, sent: (error?: Error | null) => void): void;
}

/** Options of {@link webSocketSource}. */
export interface WebSocketSourceOptions {
  /**
   * The Gateway's name. It is part of every run's identity, so use the same on every host. Two connections to one
   * Gateway use the same name, two Gateways need two names.
   *
   * @default "default"
   */
  readonly name?: string;
  /** A label for this connection. Its messages have it as `owner`. */
  readonly owner?: string;
  /**
   * Lets the inbox send its own requests over the socket, for subscriptions and recovery. Their ids begin with
   * `inbox-`. The host sees the answers, too, and should ignore them.
   *
   * @default false
   */
  readonly requests?: boolean;
}

/** How long a request over a host's socket waits for its answer, in ms. */
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Listens to a `ws` WebSocket that the host opens, authenticates and closes. The source never closes it: `close()` only
 * removes our listeners. A host's socket does not come back, so when it ends, the source ends. For a new socket make a
 * new source and a new inbox. While we listen, an `error` event of the socket does not end the process.
 *
 * An open socket counts as past the handshake, so the link's `hello` has no payload. Its `binaryType` must not be
 * `"blob"`.
 *
 * @example
 * const ws = new WebSocket("ws://127.0.0.1:18789"); // of the package ws
 * await signIn(ws); // your own handshake
 * const inbox = createInbox({ source: webSocketSource(ws, { requests: true }), deliver });
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, or for a `ws` that is not a WebSocket of the `ws`
 * package.
 */
export function webSocketSource(ws: HostWebSocket, options: WebSocketSourceOptions = {}): Source {
  const { name = "default", owner, requests: mayRequest = false } = options;
  assertKnownKeys("webSocketSource()", options, ["name", "owner", "requests"]);
  checkOptions(ws, name, owner, mayRequest);
  const requests = mayRequest ? createSocketRequests(ws, name, REQUEST_TIMEOUT_MS) : undefined;
  let attachment: Attachment | undefined;
  let heardBy: SourceListener | undefined;

  return {
    name,
    ...(owner !== undefined && { owner }),
    open(listener) {
      if (attachment !== undefined) return;
      heardBy = listener;
      attachment = createAttachment(ws, listener, requests);
      attachment.attach();
    },
    async close() {
      attachment?.detach("The source was closed.");
      attachment = undefined;
    },
    ...(requests !== undefined && {
      request: limitRequests(requests.request, {
        gateway: name,
        buffered: () => ws.bufferedAmount ?? 0,
        onOverLimit: () => heardBy?.overLimit?.(),
      }),
    }),
  };
}

/** Our listeners on a host's socket. */
interface Attachment {
  attach(): void;
  /** Removes our listeners from the socket: once, with the reason for it. */
  detach(reason: string): void;
}

function createAttachment(
  ws: HostWebSocket,
  listener: SourceListener,
  requests: SocketRequests | undefined,
): Attachment {
  let failure = "";
  let attached = true;

  const handleOpen = () => listener.link({ type: "hello" });
  const handleMessage = (data: unknown) => {
    const frame = inOnePiece(data);
    if (requests?.takeAnswer(frame) !== true) listener.frame(frame);
  };
  // Node throws an `error` event without a listener. The socket's close reports the rest.
  const handleError = (error: unknown) => {
    failure = error instanceof Error ? ` (${error.message})` : "";
  };
  const handleClose = (code: number) => detach(`The host's socket closed with code ${code}${failure}.`);

  const handlers = { open: handleOpen, message: handleMessage, error: handleError, close: handleClose };

  function detach(reason: string): void {
    if (!attached) return;
    attached = false;
    for (const [event, handler] of Object.entries(handlers)) ws.off(event, handler);
    requests?.endAll();
    listener.link({ type: "ended", reason });
  }

  return {
    attach() {
      listener.link({ type: "connect" });
      // The listener may have closed us.
      if (!attached) return;
      if (ws.readyState > 1) return detach("The host's socket was closed before the inbox could listen to it.");
      for (const [event, handler] of Object.entries(handlers)) ws.on(event, handler);
      if (ws.readyState === 1) handleOpen();
    },
    detach,
  };
}

/**
 * `ws` gives text as a Buffer or (version 7) a string, and binary in the form of its `binaryType`, which the host may
 * set.
 */
function inOnePiece(data: unknown): unknown {
  if (Array.isArray(data)) return Buffer.concat(data as Buffer[]);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}

function checkOptions(ws: unknown, name: unknown, owner: unknown, requests: unknown): void {
  const { on, off, send, readyState } = Object(ws) as Partial<HostWebSocket>;
  if (
    typeof on !== "function" ||
    typeof off !== "function" ||
    typeof send !== "function" ||
    typeof readyState !== "number"
  ) {
    throw optionError("ws", "a WebSocket of the `ws` package", ws);
  }
  assertLabels(name, owner);
  if (typeof requests !== "boolean") throw optionError("requests", "true or false", requests);
}
