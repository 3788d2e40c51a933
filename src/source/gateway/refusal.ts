import { isGatewayConnectAssemblyError } from "@openclaw/gateway-client";

/**
 * Why a connection to a Gateway failed, as one sentence for a person who can act on it. Quoted words of a Gateway or of
 * Node first go through `clean`, which removes our secrets.
 */

const setToken =
  "Set OPENCLAW_GATEWAY_TOKEN (or the `token` option) to the token in the Gateway's config (gateway.auth.token).";
const setPassword = "Set the `password` option to the password in the Gateway's config (gateway.auth.password).";
const useToken = `The Gateway wants another kind of sign-in than we offered. ${setToken}`;
const pairAgain =
  "The Gateway did not accept this device's proof of identity. Check that `device` holds a matching Ed25519 key pair and id, and pair it again.";

/** By the detail code in the Gateway's answer to `connect`. */
const sentences: ReadonlyMap<string, string> = new Map([
  ["AUTH_TOKEN_MISSING", `The Gateway asks for a token. ${setToken}`],
  ["AUTH_TOKEN_MISMATCH", `The Gateway refused the token. ${setToken}`],
  [
    "AUTH_TOKEN_NOT_CONFIGURED",
    "The Gateway has no token to compare ours with. Set gateway.auth.token in its config and restart it.",
  ],
  ["AUTH_PASSWORD_MISSING", `The Gateway asks for a password. ${setPassword}`],
  ["AUTH_PASSWORD_MISMATCH", `The Gateway refused the password. ${setPassword}`],
  [
    "AUTH_PASSWORD_NOT_CONFIGURED",
    "The Gateway has no password to compare ours with. Set gateway.auth.password in its config and restart it.",
  ],
  ["AUTH_REQUIRED", useToken],
  ["AUTH_UNAUTHORIZED", useToken],
  ["AUTH_BOOTSTRAP_TOKEN_INVALID", `The Gateway refused the setup token. ${setToken}`],
  [
    "AUTH_DEVICE_TOKEN_MISMATCH",
    "The Gateway no longer accepts this device's token. Run `openclaw devices rotate --device <deviceId> --role operator` on its host, or pair the device again.",
  ],
  [
    "AUTH_SCOPE_MISMATCH",
    "The Gateway does not grant this device the scopes we ask for. Review them on its host with `openclaw devices list` and `openclaw devices approve --latest`, or ask for fewer `scopes`.",
  ],
  [
    "AUTH_IDENTITY_HEADER_REQUIRED",
    "The Gateway accepts only connections that come through its identity-aware proxy. Connect through that proxy.",
  ],
  [
    "AUTH_VERIFIED_USER_REQUIRED",
    "The Gateway accepts only users that its identity-aware proxy has verified. Connect through that proxy.",
  ],
  ["AUTH_TAILSCALE_IDENTITY_MISSING", useToken],
  ["AUTH_TAILSCALE_PROXY_MISSING", useToken],
  ["AUTH_TAILSCALE_IDENTITY_MISMATCH", useToken],
  [
    "PROTOCOL_MISMATCH",
    "The Gateway speaks another protocol version than this package (4). Update OpenClaw on the Gateway's host, or openclaw-inbox here.",
  ],
  ["CLIENT_VERSION_MISMATCH", "The Gateway does not accept this client's version. Update openclaw-inbox."],
  [
    "DEVICE_IDENTITY_REQUIRED",
    "The Gateway accepts only paired devices from here. Set the `device` option to `createDevice(file)`, or run `openclaw-inbox pair --device FILE`; or connect over loopback, for example through an SSH tunnel.",
  ],
  ["DEVICE_AUTH_INVALID", pairAgain],
  ["DEVICE_AUTH_DEVICE_ID_MISMATCH", pairAgain],
  ["DEVICE_AUTH_SIGNATURE_INVALID", pairAgain],
  ["DEVICE_AUTH_PUBLIC_KEY_INVALID", pairAgain],
]);

/** Codes of TLS errors that another attempt cannot change. */
const untrusted = new Set(["DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "ERR_TLS_CERT_ALTNAME_INVALID"]);

type Clean = (text: string) => string;

interface ConnectFailure {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly details?: unknown;
}

/** Why a connection ended or was not made: a sentence for a person, and a word for programs. */
export interface Explanation {
  readonly reason: string;
  readonly code?: string;
}

/** The Gateway accepted us, but would send us nothing. */
export const mayNotRead: Explanation = {
  code: "NO_READ_SCOPE",
  reason:
    "The Gateway let us in but does not grant operator.read, so no message would arrive. It grants it to paired devices only, unless the connection comes over loopback: set the `device` option to `createDevice(file)`, or run `openclaw-inbox pair --device FILE`; or connect through an SSH tunnel.",
};

/**
 * What to tell a person, when only a person can fix `error`; `undefined` when trying again may help. `gaveUp`: the
 * official client does not try again by itself.
 */
export function explainRefusal(error: Error | undefined, gaveUp: boolean, clean: Clean): Explanation | undefined {
  if (error === undefined) return gaveUp ? { reason: "The Gateway refused the connection." } : undefined;
  // The client stops for good when it cannot build its sign-in: the device throws, or the challenge has no time.
  if (isGatewayConnectAssemblyError(error as unknown))
    return { code: "SIGN_IN_FAILED", reason: `The sign-in could not be made: ${quote(error.message, clean)}.` };
  const { details } = error as ConnectFailure;
  const detail = field(details, "code");
  // The lockout ends by itself. It may come from another client with the same address, so it must not end this one.
  if (detail === "AUTH_RATE_LIMITED") return undefined;
  if (detail === "PAIRING_REQUIRED") return gaveUp ? explainPairing(details) : undefined;
  // If the client has a device token, it tries that next and does not give up.
  if (detail === "AUTH_TOKEN_MISMATCH" && !gaveUp) return undefined;
  const sentence = typeof detail === "string" ? sentences.get(detail) : undefined;
  if (sentence !== undefined) return { code: detail as string, reason: sentence };
  if (/protocol mismatch/i.test(error.message))
    return { code: "PROTOCOL_MISMATCH", reason: sentences.get("PROTOCOL_MISMATCH") ?? "" };
  return (
    explainTransport(error) ??
    (gaveUp
      ? { ...wordFor(error), reason: `The Gateway refused the connection: ${quote(error.message, clean)}.` }
      : undefined)
  );
}

/**
 * Something between us and the Gateway refused the WebSocket: a CDN, a proxy, a login page. That may be over soon, so
 * it is tried again a few times before a person is asked.
 */
export function isTurnedAway(error: Error | undefined): boolean {
  const { details } = Object(error) as ConnectFailure;
  return field(details, "gatewayErrorType") !== unattributed && turningAway(upgradeStatus(details));
}

/** The Gateway's answer to a proxy that it does not know. */
const unattributed = "proxy_attribution_required";

const turningAway = (status: number) => status === 401 || status === 403 || (status >= 300 && status < 400);

/** The HTTP status with which the upgrade to a WebSocket was refused, or 0. */
function upgradeStatus(details: unknown): number {
  return field(details, "reason") === "websocket-upgrade-rejected" ? Number(field(details, "httpStatus")) : 0;
}

function explainPairing(details: unknown): Explanation {
  const id = field(details, "requestId");
  // The id goes into a shell command, so only an id of the Gateway's own form is shown.
  const request = typeof id === "string" && /^[\w.:-]{1,128}$/.test(id) ? id : "<requestId>";
  return {
    code: "PAIRING_REQUIRED",
    reason: `The Gateway asks for this device to be paired. Run \`openclaw devices approve ${request}\` on its host (\`openclaw devices list\` shows what waits), then start again.`,
  };
}

function explainTransport(error: Error): Explanation | undefined {
  const { code, details } = error as ConnectFailure;
  if (error.message.startsWith("SECURITY ERROR")) {
    return {
      code: "INSECURE_URL",
      reason:
        "Plain ws:// to this host would show the token and the conversations to anyone on the way. Use wss://, an SSH tunnel to a loopback address, or Tailscale. In a private network, of Docker or Kubernetes for instance, allow it by `allowInsecure: true`, `--allow-insecure` or OPENCLAW_INBOX_ALLOW_INSECURE=1; public IP addresses stay refused.",
    };
  }
  if (/tls fingerprint (mismatch|unavailable)/.test(error.message)) {
    return {
      code: "TLS_FINGERPRINT",
      reason:
        "The Gateway's TLS certificate is not the one in `tlsFingerprint`. If the certificate was renewed, set its new SHA-256 fingerprint; if not, somebody is in between.",
    };
  }
  if (untrusted.has(String(code))) {
    return {
      code: String(code),
      reason: `This host does not trust the Gateway's TLS certificate (${String(code)}). Set \`tlsFingerprint\` to its SHA-256 fingerprint, or give the Gateway a trusted certificate.`,
    };
  }
  if (field(details, "gatewayErrorType") === unattributed) {
    return {
      code: "PROXY_NOT_TRUSTED",
      reason:
        "The Gateway does not know the proxy that this connection came through. Add the proxy's address to gateway.trustedProxies in the Gateway's config, and let the proxy set X-Forwarded-For anew, or connect past it.",
    };
  }
  const status = upgradeStatus(details);
  if (!turningAway(status)) return undefined;
  return {
    code: `HTTP_${status}`,
    reason: `Something in front of the Gateway refused the WebSocket (HTTP ${status}): a proxy, a CDN or a login page. Connect past it, or let it admit this host.`,
  };
}

/** A word for an error that none of our sentences is for: the Gateway's, or else Node's. */
function wordFor(error: Error): { readonly code?: string } {
  const { code, details } = error as ConnectFailure;
  const status = upgradeStatus(details);
  const word = field(details, "code") ?? (status > 0 ? `HTTP_${status}` : code);
  return typeof word === "string" && /^[\w.-]{1,64}$/.test(word) ? { code: word } : {};
}

/** Says why a connection or an attempt has ended while the client tries again by itself. */
export function explainLoss(
  address: string,
  close: { readonly code: number; readonly reason: string },
  error: Error | undefined,
  clean: Clean,
): Explanation {
  // For a close without an error, the client makes one up.
  if (error === undefined || /^gateway closed \(\d+\)/.test(error.message)) {
    const words = close.reason === "" ? "" : ` ${quote(close.reason, clean)}`;
    const reason =
      close.code === 1006
        ? `The connection to ${address} broke (1006${words}).`
        : `${address} closed the connection (${close.code}${words}).`;
    return { code: `CLOSE_${close.code}`, reason };
  }
  const { code, details } = error as ConnectFailure;
  const detail = field(details, "code");
  if (field(details, "reason") === "startup-sidecars")
    return { code: "STARTING", reason: "The Gateway is still starting." };
  if (detail === "AUTH_RATE_LIMITED")
    return { code: detail, reason: "The Gateway has seen too many failed sign-ins and lets nobody in for a while." };
  if (detail === "PAIRING_REQUIRED") return explainPairing(details);
  // When a name has several addresses, Node reports all failures at once with an empty message.
  const words = error.message === "" ? String(code ?? error.name) : quote(error.message, clean);
  return { ...wordFor(error), reason: `Could not connect to ${address}: ${words}.${transportHint(address, error)}` };
}

/** What a socket error often means, when its words do not say it. */
function transportHint(address: string, { message }: Error): string {
  const isTls = address.startsWith("wss:");
  if (isTls && /wrong version number|packet length too long|EPROTO/i.test(message))
    return " This port does not speak TLS: does the address begin with ws://?";
  if (!isTls && /socket hang up|ECONNRESET|Parse Error/i.test(message))
    return " If this port speaks TLS, the address begins with wss://.";
  return /challenge timeout|handshake has timed out/i.test(message)
    ? " Something listens there but does not answer as a Gateway does: is it the right port?"
    : "";
}

/** How long the Gateway asks us to wait, in ms: from a second to ten minutes. Default: one minute. */
export function lockoutMs(error: Error | undefined): number {
  const asked = (error as { readonly retryAfterMs?: unknown } | undefined)?.retryAfterMs;
  return typeof asked === "number" && asked > 0 ? Math.min(Math.max(asked, 1_000), 600_000) : 60_000;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** A peer's words for quoting: without our secrets, on one line, at most 200 characters. */
function quote(text: string, clean: Clean): string {
  const line = clean(text).replace(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
