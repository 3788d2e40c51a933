import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request is not answered. */
export interface Refusal {
  readonly status: 403;
  readonly text: string;
}

// Names that a page of the open web cannot make lead here: with any other, a rebound DNS name could read us.
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/** Refuses what no page of ours and no scraper on this machine sends: another `Host` than loopback (any port: it may be forwarded). */
export function refusalOfHost({ headers: { host = "" } }: IncomingMessage): Refusal | undefined {
  if (LOOPBACK_HOST.test(host)) return undefined;
  return { status: 403, text: "Only under a name of this machine: localhost." };
}

/** Refuses what another site's page asks for. A link to us that somebody follows is no such thing. */
export function refusalOfOrigin({ headers }: IncomingMessage): Refusal | undefined {
  const { origin, "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  const isForeign = (site === "cross-site" || site === "same-site") && mode !== "navigate";
  if (isForeign || (origin !== undefined && !isOwn(origin, headers.host)))
    return { status: 403, text: "Not for other origins." };
  return undefined;
}

/**
 * Refuses an action that our own page did not ask for: it sends the secret that only it was told, and its browser says
 * that it is of the same origin.
 */
export function refusalOfAction({ headers }: IncomingMessage, secret: string): Refusal | undefined {
  const { origin, "sec-fetch-site": site = "same-origin", [ACTION_HEADER]: given } = headers;
  const isOurs = site === "same-origin" && origin !== undefined && isOwn(origin, headers.host);
  if (isOurs && typeof given === "string" && sameSecret(given, secret)) return undefined;
  return { status: 403, text: "Only for this page." };
}

/** The header that carries the secret of an action. A page of another origin cannot send it unasked. */
const ACTION_HEADER = "x-inspector-action";

/** Whether an `Origin` is that of the server itself. Whether by TLS, a server behind a proxy cannot know. */
function isOwn(origin: string, host = ""): boolean {
  const { 1: own } = /^https?:\/\/(.+)$/i.exec(origin) ?? [];
  return host !== "" && own?.toLowerCase() === host.toLowerCase();
}

/** Compares in a time that says nothing of where two texts differ. */
export function sameSecret(given: string, secret: string): boolean {
  return timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** What every answer carries: nothing is stored, framed, sniffed or embedded. */
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
