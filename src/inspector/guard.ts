import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request is refused. */
export interface Refusal {
  readonly status: 403;
  readonly text: string;
}

// Host names that a page on the web cannot point to this machine. With any other name, DNS rebinding could reach this
// server.
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/**
 * Refuses a request whose `Host` is not loopback. Our own page and a scraper on this machine always use loopback. Any
 * port is allowed, because it may be forwarded.
 */
export function refusalOfHost({ headers: { host = "" } }: IncomingMessage): Refusal | undefined {
  if (LOOPBACK_HOST.test(host)) return undefined;
  return { status: 403, text: "Only under a name of this machine: localhost." };
}

/** Refuses requests from pages of other sites. Following a link to the page is allowed. */
export function refusalOfOrigin({ headers }: IncomingMessage): Refusal | undefined {
  const { origin, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  const isForeign = (site === "cross-site" || site === "same-site") && mode !== "navigate";
  if (isForeign || (origin !== undefined && !isOwn(origin, headers.host)))
    return { status: 403, text: "Not for other origins." };
  return undefined;
}

/**
 * Refuses an action that our own page did not request. Our page sends the secret that only it has, and the browser
 * confirms the same origin.
 */
export function refusalOfAction({ headers }: IncomingMessage, secret: string): Refusal | undefined {
  const { origin, "sec-fetch-site": site = "same-origin", [ACTION_HEADER]: given } = headers;
  const isOurs = site === "same-origin" && origin !== undefined && isOwn(origin, headers.host);
  if (isOurs && typeof given === "string" && sameSecret(given, secret)) return undefined;
  return { status: 403, text: "Only for this page." };
}

/** The header with the secret of an action. A page of another origin cannot send it without being allowed to. */
const ACTION_HEADER = "x-inspector-action";

/** Whether an `Origin` is the server's own. The scheme is ignored, because a server behind a proxy does not know it. */
function isOwn(origin: string, host = ""): boolean {
  const { 1: own } = /^https?:\/\/(.+)$/i.exec(origin) ?? [];
  return host !== "" && own?.toLowerCase() === host.toLowerCase();
}

/** Compares in a time that does not depend on where the texts differ. */
export function sameSecret(given: string, secret: string): boolean {
  return timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The headers of every answer. They forbid storing, framing, sniffing and embedding. */
export const safeHeaders = {
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
} as const;

/** Lets the page load its own files and nothing else. */
export const ownFilesOnly =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
