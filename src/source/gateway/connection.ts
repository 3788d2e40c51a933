import { GatewayClient, type GatewayClientOptions } from "@openclaw/gateway-client";
import { errorText } from "../../errors.ts";
import { noLink } from "../request-error.ts";
import type { GatewayRequest, SourceListener } from "../source.ts";
import { requestError } from "./client-error.ts";
import { deviceOptions } from "./device.ts";
import type { GatewaySettings } from "./options.ts";
import { createCleaner, redactSecrets } from "./redact.ts";
import { type Explanation, explainLoss, explainRefusal, isTurnedAway, lockoutMs, mayNotRead } from "./refusal.ts";

/** A Gateway source from one `open` to its `close`. */
export interface GatewayLink {
  start(): void;
  close(): Promise<void>;
  readonly request: GatewayRequest;
}

const unusable: Explanation = { reason: "The Gateway's url cannot be used." };

/** After this many refused upgrades in a row (about 15 s), a person must act. */
const MAX_TURNED_AWAY = 5;

/** Turns the official client's callbacks into link events. After `refused` or `ended` it sends nothing. */
export function createGatewayLink(settings: GatewaySettings, listener: SourceListener): GatewayLink {
  const clean = createCleaner([settings.token, settings.password]);
  /** True from a hello to the end of its socket. */
  let live = false;
  /** The link was refused or closed. */
  let over = false;
  /** The client has stopped trying. */
  let gaveUp = false;
  /** Why the current attempt fails. */
  let failure: Error | undefined;
  /** The error about a frame, which ended the socket. */
  let fatalFrame: string | undefined;
  let retry: NodeJS.Timeout | undefined;
  /** How many attempts in a row were refused by a proxy. */
  let turnedAway = 0;

  function refuse(explanation: Explanation): void {
    over = true;
    live = false;
    client.stop();
    listener.link({ type: "refused", ...explanation });
  }

  function handleConnect(): void {
    gaveUp = false;
    failure = undefined;
    fatalFrame = undefined;
    if (!over) listener.link({ type: "connect" });
    // The listener has closed us while the client is about to open a socket. Only a throw stops the client.
    if (over) throw new Error("The source was closed.");
  }

  function handleHello(hello: { readonly auth?: { readonly scopes?: unknown } }): void {
    if (over) return;
    if (!mayRead(hello.auth?.scopes)) return refuse(mayNotRead);
    let shown: object;
    try {
      shown = redactSecrets(hello);
    } catch (error) {
      // The client ignores what its callbacks throw. Without this, the link would stay `connecting` for ever.
      return refuse({ code: "BAD_HELLO", reason: `The Gateway's hello cannot be read: it is ${errorText(error)}.` });
    }
    live = true;
    failure = undefined;
    turnedAway = 0;
    listener.link({ type: "hello", hello: shown });
  }

  function handleClose(code: number, reason: string, error: Error | undefined): void {
    if (over) return;
    live = false;
    const refusal = explainRefusal(error, gaveUp, clean);
    turnedAway = isTurnedAway(error) ? turnedAway + 1 : 0;
    if (refusal !== undefined) {
      if (turnedAway === 0 || turnedAway >= MAX_TURNED_AWAY) return refuse(refusal);
      return listener.link({ type: "lost", ...refusal });
    }
    // The client has given up, but the lockout ends by itself. So try again then.
    if (gaveUp) retry = setTimeout(() => client.start(), lockoutMs(error));
    const close = fatalFrame === undefined ? { code, reason } : { code, reason: fatalFrame };
    listener.link({ type: "lost", ...explainLoss(settings.address, close, error, clean) });
  }

  // Only the client's debug lines report a message that it could not parse.
  function handleDebugLine(line: string): void {
    const fatal = /^gateway client error: RangeError: (Max payload size exceeded|Invalid WebSocket frame.*)/.exec(
      line,
    )?.[1];
    if (over || (fatal === undefined && !line.startsWith("gateway client parse error:"))) return;
    fatalFrame ??= fatal;
    listener.frame("");
  }

  const client = new GatewayClient({
    ...clientOptions(settings, listener, { beforeConnect: handleConnect, logDebug: handleDebugLine }),
    onHelloOk: handleHello,
    // An event may come before the hello. When both arrive in one packet, the client reports the hello a microtask
    // later.
    onEvent(event) {
      if (!over) listener.frame(event);
    },
    onConnectError(error) {
      failure = error;
    },
    onReconnectPaused({ detailCode }) {
      gaveUp = true;
      // Without a code, the client could not open a socket, and no close follows.
      if (detailCode === null && !over) refuse(explainRefusal(failure, true, clean) ?? unusable);
    },
    onClose: (code, reason, info) => handleClose(code, reason, info?.connectError ?? failure),
  });

  return {
    start() {
      client.start();
      // A failure at this point means that the socket could not be made. The client does not report it and does not
      // retry.
      if (failure !== undefined && !over) refuse(explainRefusal(failure, true, clean) ?? unusable);
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
      if (!live) throw noLink(method, settings.name);
      try {
        return await client.request<unknown>(method, params, signal === undefined ? {} : { signal });
      } catch (error) {
        throw requestError(error, { method, gateway: settings.name, live }, clean);
      }
    },
  };
}

type HostDeps = NonNullable<GatewayClientOptions["hostDeps"]>;

/**
 * How we introduce ourselves to the Gateway. We announce no capabilities. With `session-scoped-events` it would send
 * only events of sessions that we subscribed to before, so a run in a new session would be lost.
 */
function clientOptions(settings: GatewaySettings, listener: SourceListener, hostDeps: HostDeps): GatewayClientOptions {
  const { url, token, password, tlsFingerprint, scopes, requestTimeoutMs, allowInsecure } = settings;
  const device = deviceOptions(settings.device, (option, error) => listener.hostError?.(option, error));
  return {
    ...device,
    url,
    ...(token !== undefined && { token }),
    ...(password !== undefined && { password }),
    ...(tlsFingerprint !== undefined && { tlsFingerprint: tlsFingerprint.trim() }),
    // The client reads this option only from the environment.
    ...(allowInsecure && { env: { ...process.env, OPENCLAW_ALLOW_INSECURE_PRIVATE_WS: "1" } }),
    role: "operator",
    clientName: "gateway-client",
    clientDisplayName: "openclaw-inbox",
    mode: "backend",
    scopes: [...scopes],
    requestTimeoutMs,
    // Reports an attempt at a Gateway that is still starting like any other lost attempt.
    notifyOnStartupRetry: true,
    hostDeps: { ...device.hostDeps, ...hostDeps },
  };
}

/** Each of these scopes allows chat events. */
const reading = /^operator\.(read|write|admin)$/;

/**
 * Whether a connection with these scopes gets chat events. If a Gateway does not list its scopes, we assume it does.
 */
function mayRead(granted: unknown): boolean {
  return !Array.isArray(granted) || granted.some((scope) => typeof scope === "string" && reading.test(scope));
}
