import { GatewayClient } from "@openclaw/gateway-client";
import { deviceOptions } from "./gateway-device.ts";
import { type GatewayOptions, type GatewaySettings, readGatewayOptions } from "./gateway-options.ts";
import { explainLoss, explainRefusal, lockoutMs } from "./gateway-refusal.ts";
import { noLink, requestError } from "./gateway-request.ts";
import { createCleaner, redactSecrets } from "./secrets.ts";
import type { GatewayRequest, Source, SourceListener } from "./source.ts";

/**
 * A connection to an OpenClaw Gateway, made by its official client: role `operator`, client id `gateway-client`,
 * mode `backend`. A lost connection comes back by itself, after 1 s, then 2 s, up to 30 s, for ever; while it is
 * up or coming back it keeps the process alive, as a server does.
 *
 * What only a person can mend (wrong token, pairing, protocol version, a scope not granted, an unsafe url) is a
 * `refused` link event. After it nothing is tried, and the process may end; `close()` and `open()` try again.
 *
 * A message that the client cannot parse becomes the frame `""`, since the client keeps its text to itself: it
 * is counted as any unreadable frame. JSON that is neither an event nor an answer the client drops unseen.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function gatewaySource(options: GatewayOptions): Source {
  const settings = readGatewayOptions(options);
  let link: GatewayLink | undefined;
  let closing = Promise.resolve();

  const request: GatewayRequest = async (method, params, requestOptions) => {
    if (link === undefined) throw noLink(method, settings.name);
    return link.request(method, params, requestOptions);
  };

  return {
    name: settings.name,
    ...(settings.owner !== undefined && { owner: settings.owner }),
    open(listener) {
      if (link !== undefined) return;
      link = createGatewayLink(settings, listener);
      link.start();
    },
    close() {
      if (link !== undefined) closing = link.close();
      link = undefined;
      return closing;
    },
    request,
  };
}

interface GatewayLink {
  start(): void;
  close(): Promise<void>;
  readonly request: GatewayRequest;
}

/** The link from one `open` to its `close`. */
function createGatewayLink(settings: GatewaySettings, listener: SourceListener): GatewayLink {
  const { name, address, token, password, requestTimeoutMs } = settings;
  const clean = createCleaner([token, password]);
  /** From a hello to the end of its socket. */
  let live = false;
  /** Refused or closed: nothing more is said. */
  let over = false;
  /** The client tries no more by itself. */
  let gaveUp = false;
  /** Why the present attempt is failing. */
  let failure: Error | undefined;
  let retry: NodeJS.Timeout | undefined;

  function refuse(reason: string): void {
    over = true;
    live = false;
    client.stop();
    listener.link({ type: "refused", reason: clean(reason) });
  }

  function handleHello(hello: { readonly auth?: { readonly scopes?: unknown } }): void {
    if (over) return;
    if (!mayRead(hello.auth?.scopes)) {
      return refuse(
        "The Gateway let us in but does not grant operator.read, so no message would arrive. Connect over loopback, or pair this host (option `device`) and approve the scope on the Gateway's host.",
      );
    }
    live = true;
    failure = undefined;
    listener.link({ type: "hello", hello: redactSecrets(hello) });
  }

  function handleClose(code: number, reason: string, error: Error | undefined): void {
    if (over) return;
    const broken = live ? failure : undefined;
    live = false;
    if (broken !== undefined) return listener.link({ type: "lost", reason: broken.message });
    const refusal = explainRefusal(error, gaveUp);
    if (refusal !== undefined) return refuse(refusal);
    if (gaveUp) retry = setTimeout(() => client.start(), lockoutMs(error));
    listener.link({ type: "lost", reason: clean(explainLoss(address, { code, reason }, error)) });
  }

  // The client's debug lines are the only place where it tells of a message it could not read.
  function handleDebugLine(line: string): void {
    if (over) return;
    if (line.startsWith("gateway client parse error:")) listener.frame("");
    const broken = /^gateway client error: RangeError: (Max payload size exceeded|Invalid WebSocket frame.*)/.exec(line);
    if (broken === null) return;
    // The socket will not survive this one: the connection is made anew.
    listener.frame("");
    if (live) failure = new Error(`The Gateway sent a frame that ended the connection (${broken[1]}).`);
  }

  const { hostDeps, ...identity } = deviceOptions(settings.device);
  const client = new GatewayClient({
    ...identity,
    url: settings.url,
    ...(token !== undefined && { token }),
    ...(password !== undefined && { password }),
    ...(settings.tlsFingerprint !== undefined && { tlsFingerprint: settings.tlsFingerprint.trim() }),
    role: "operator",
    clientName: "gateway-client",
    clientDisplayName: "openclaw-inbox",
    mode: "backend",
    scopes: [...settings.scopes],
    requestTimeoutMs,
    notifyOnStartupRetry: true,
    hostDeps: {
      ...hostDeps,
      beforeConnect() {
        gaveUp = false;
        failure = undefined;
        if (!over) listener.link({ type: "connect" });
      },
      logDebug: handleDebugLine,
    },
    onHelloOk: handleHello,
    // May come a moment before the hello: both can arrive in one piece, and the client tells of the hello a microtask later.
    onEvent: (event) => {
      if (!over) listener.frame(event);
    },
    onConnectError(error) {
      failure = error;
    },
    onReconnectPaused({ detailCode }) {
      gaveUp = true;
      // Without a code no close follows: the client could not even make a socket.
      if (detailCode === null && !over) refuse(explainRefusal(failure, true) ?? "The Gateway's url cannot be used.");
    },
    onClose: (code, reason, info) => handleClose(code, reason, info?.connectError ?? failure),
  });

  return {
    start() {
      client.start();
      // A failure that is there already is of making the socket: the client tells of it only so, and does not try again.
      if (failure !== undefined && !over) refuse(explainRefusal(failure, true) ?? "The Gateway's url cannot be used.");
    },
    async close() {
      const silent = over;
      over = true;
      live = false;
      clearTimeout(retry);
      if (!silent) listener.link({ type: "ended", reason: "The source was closed." });
      await client.stopAndWait();
    },
    async request(method, params, { signal } = {}) {
      if (!live) throw noLink(method, name);
      try {
        return await client.request<unknown>(method, params, signal === undefined ? {} : { signal });
      } catch (error) {
        throw requestError(error, { method, gateway: name, live }, clean);
      }
    },
  };
}

/** Whether chat events will reach a connection with these scopes. Gateways that do not tell are believed. */
function mayRead(granted: unknown): boolean {
  return !Array.isArray(granted) || granted.some((scope) => /^operator\.(read|write|admin)$/.test(String(scope)));
}
