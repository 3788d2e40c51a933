import { isGatewayConnectAssemblyError } from "@openclaw/gateway-client";

/**
 * Why a connection to a Gateway failed, as one sentence a person can act on.
 * What is quoted of a Gateway or of Node goes through `clean` first, which blanks out our secrets.
 */

const setToken =
  "Set OPENCLAW_GATEWAY_TOKEN (or the `token` option) to the token in the Gateway's config (gateway.auth.token).";
const setPassword = "Set the `password` option to the password in the Gateway's config (gateway.auth.password).";
const useToken = `The Gateway wants another kind of sign-in than we offered. ${setToken}`;
const pairAgain =
  "The Gateway did not accept this device's proof of identity. Check that `device` holds a matching Ed25519 key pair and id, and pair it again.";

/** By the detail code of the Gateway's answer to `connect`. */
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
    "The Gateway accepts only paired devices from here. Give the `device` option an identity, or connect over loopback (for example through an SSH tunnel).",
  ],
  ["DEVICE_AUTH_INVALID", pairAgain],
  ["DEVICE_AUTH_DEVICE_ID_MISMATCH", pairAgain],
  ["DEVICE_AUTH_SIGNATURE_INVALID", pairAgain],
  ["DEVICE_AUTH_PUBLIC_KEY_INVALID", pairAgain],
]);

/** By the `code` of a TLS error: what no further attempt can change. */
const untrusted = new Set(["DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "ERR_TLS_CERT_ALTNAME_INVALID"]);

type Clean = (text: string) => string;

interface ConnectFailure {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly details?: unknown;
}

/**
 * The sentence for a person, where only a person can mend `error`; `undefined` where trying again may help.
 * `gaveUp`: the official client has stopped trying by itself.
 */
export function explainRefusal(error: Error | undefined, gaveUp: boolean, clean: Clean): string | undefined {
  if (error === undefined) return gaveUp ? "The Gateway refused the connection." : undefined;
  // The client stops for good when it cannot put its sign-in together: a device that throws, a challenge without a time.
  if (isGatewayConnectAssemblyError(error as unknown))
    return `The sign-in could not be made: ${quote(error.message, clean)}.`;
  const { code, details } = error as ConnectFailure;
  const detail = field(details, "code");
  // The lockout ends by itself. Another client behind the same address may have caused it, so it must not end this one.
  if (detail === "AUTH_RATE_LIMITED") return undefined;
  if (detail === "PAIRING_REQUIRED") return gaveUp ? explainPairing(details) : undefined;
  // With a device token to fall back on the client tries that first, and does not give up.
  if (detail === "AUTH_TOKEN_MISMATCH" && !gaveUp) return undefined;
  const sentence = typeof detail === "string" ? sentences.get(detail) : undefined;
  if (sentence !== undefined) return sentence;
  if (/protocol mismatch/i.test(error.message)) return sentences.get("PROTOCOL_MISMATCH");
  return (
    explainTransport(error, code, details) ??
    (gaveUp ? `The Gateway refused the connection: ${quote(error.message, clean)}.` : undefined)
  );
}

function explainPairing(details: unknown): string {
  const id = field(details, "requestId");
  // The id goes into a shell command: only what a Gateway makes of it is shown.
  const request = typeof id === "string" && /^[\w.:-]{1,128}$/.test(id) ? id : "<requestId>";
  return `The Gateway asks for this device to be paired. Run \`openclaw devices approve ${request}\` on its host (\`openclaw devices list\` shows what waits), then start again.`;
}

function explainTransport(error: Error, code: unknown, details: unknown): string | undefined {
  if (error.message.startsWith("SECURITY ERROR")) {
    return "Plain ws:// to a public host would show the token and the conversations to anyone on the way. Use wss://, an SSH tunnel to a loopback address, or Tailscale.";
  }
  if (/tls fingerprint (mismatch|unavailable)/.test(error.message)) {
    return "The Gateway's TLS certificate is not the one in `tlsFingerprint`. If the certificate was renewed, set its new SHA-256 fingerprint; if not, somebody is in between.";
  }
  if (untrusted.has(String(code))) {
    return `This host does not trust the Gateway's TLS certificate (${String(code)}). Set \`tlsFingerprint\` to its SHA-256 fingerprint, or give the Gateway a trusted certificate.`;
  }
  const status = field(details, "reason") === "websocket-upgrade-rejected" ? Number(field(details, "httpStatus")) : 0;
  if (status === 401 || status === 403 || (status >= 300 && status < 400)) {
    return `Something in front of the Gateway refused the WebSocket (HTTP ${status}), likely an identity-aware proxy. Connect past it, or let it admit this host.`;
  }
  return undefined;
}

/** How the end of a connection, or of an attempt, is told while the client tries again by itself. */
export function explainLoss(
  address: string,
  close: { readonly code: number; readonly reason: string },
  error: Error | undefined,
  clean: Clean,
): string {
  // The client makes an error of its own of a close that came without one.
  if (error === undefined || /^gateway closed \(\d+\)/.test(error.message)) {
    const words = close.reason === "" ? "" : ` ${quote(close.reason, clean)}`;
    return close.code === 1006
      ? `The connection to ${address} broke (1006${words}).`
      : `${address} closed the connection (${close.code}${words}).`;
  }
  const { code, details } = error as ConnectFailure;
  const detail = field(details, "code");
  if (field(details, "reason") === "startup-sidecars") return "The Gateway is still starting.";
  if (detail === "AUTH_RATE_LIMITED")
    return "The Gateway has seen too many failed sign-ins and lets nobody in for a while.";
  if (detail === "PAIRING_REQUIRED") return explainPairing(details);
  // Where a name has several addresses Node reports all failures at once, with an empty message.
  const words = error.message === "" ? String(code ?? error.name) : quote(error.message, clean);
  return `Could not connect to ${address}: ${words}.`;
}

/** How long the Gateway asks us to wait, in milliseconds: from a second to ten minutes, a minute if it does not say. */
export function lockoutMs(error: Error | undefined): number {
  const asked = (error as { readonly retryAfterMs?: unknown } | undefined)?.retryAfterMs;
  return typeof asked === "number" && asked > 0 ? Math.min(Math.max(asked, 1_000), 600_000) : 60_000;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** A peer's words as they may be quoted: without our secrets, on one line, at most 200 characters. */
function quote(text: string, clean: Clean): string {
  const line = clean(text).replace(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
