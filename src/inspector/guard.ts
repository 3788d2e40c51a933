import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request is not answered. */
export interface Refusal {
  readonly status: 403 | 405;
  readonly text: string;
}

// Names that a page of the open web cannot make lead here: with any other, a rebound DNS name could read us.
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/**
 * Refuses what no page of ours and no scraper on this machine sends: other methods than GET and HEAD,
 * another `Host` than loopback (any port: it may be forwarded), another `Origin` than that host.
 */
export function refusalOf({ method, headers }: IncomingMessage): Refusal | undefined {
  if (method !== "GET" && method !== "HEAD") return { status: 405, text: "Read only." };
  const { host = "", origin } = headers;
  if (!LOOPBACK_HOST.test(host)) return { status: 403, text: "Only under a name of this machine: localhost." };
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    return { status: 403, text: "Not for other origins." };
  return undefined;
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
