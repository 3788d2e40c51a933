import { assertKnownKeys, optionError } from "../../errors.ts";
import { limitRequests } from "../request-limit.ts";
import { assertLabels, type Source, type SourceListener } from "../source.ts";
import { createSocketRequests, type SocketRequests } from "./requests.ts";

/** What a `WebSocket` of the `ws` package has, of any copy or version from 7 on. */
export interface HostWebSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes that wait for the system to take them. */
  readonly bufferedAmount?: number;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  send(data: string, sent: (error?: Error | null) => void): void;
}

/** How to listen to a socket of the host's own. */
export interface WebSocketSourceOptions {
  /**
   * The Gateway's name: part of every run's identity, so the same on every host. Two connections to one
   * Gateway share it; two Gateways need two.
   *
   * @default "default"
   */
  readonly name?: string;
  /** A label that messages of this connection carry as `owner`. */
  readonly owner?: string;
  /**
   * Lets the inbox send requests of its own over the socket (for subscriptions and recovery), with ids that begin
   * with `inbox-`; their answers are kept from the inbox's frames, but the host sees them too and should ignore them.
   *
   * @default false
   */
  readonly requests?: boolean;
}

/** How long a request over a host's socket waits for its answer, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Listens to a `ws` WebSocket that the host opens, authenticates and closes itself. The source never closes it:
 * `close()` only takes our listeners off. A host's socket does not come back, so its end is the source's end; give
 * the inbox a new source for a new socket. While we listen, an `error` event of the socket does not end the process.
 *
 * An open socket counts as past the handshake: the link's `hello` has no payload. Its `binaryType` must not be `"blob"`.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, or for a `ws` that is no WebSocket of the `ws` package.
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
  /** Lets go of the socket: once, with the reason for it. */
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
  // Node throws an `error` event that nobody listens to. The socket's close reports the rest.
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

/** `ws` gives text as a Buffer or (version 7) a string, and binary by its `binaryType`, which the host may have set. */
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
