import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import tls from "node:tls";
import { errorText, InboxError } from "../../errors.ts";
import { tooLarge } from "../request-error.ts";
import type { GatewayDownload } from "../source.ts";
import type { GatewaySettings } from "./options.ts";
import { createCleaner } from "./redact.ts";

type Settings = Pick<GatewaySettings, "url" | "name" | "token" | "password" | "tlsFingerprint">;

/**
 * Reads a file over HTTP from the Gateway's own origin: the same host and port as the link, with the same trust in its
 * certificate. Redirects are not followed. The path may hold a ticket, so no error quotes it.
 */
export async function downloadFile(
  settings: Settings,
  path: string,
  { maxBytes, signal }: Parameters<GatewayDownload>[1],
): Promise<Uint8Array> {
  const { name: gateway, token, password } = settings;
  const target = resolve(settings, path);
  const clean = createCleaner([token, password, path, target.search.slice(1)]);
  const secret = token ?? password;
  // Before 2026.8 there are no tickets, and the Gateway asks for the link's token.
  const headers = target.search !== "" || secret === undefined ? {} : { authorization: `Bearer ${secret.trim()}` };
  try {
    signal.throwIfAborted();
    const request = await send(settings, target, headers, signal);
    const [response] = (await once(request, "response", { signal })) as [http.IncomingMessage];
    if (response.statusCode !== 200) {
      response.destroy();
      const words = `The Gateway "${gateway}" refused the file with HTTP ${response.statusCode}.`;
      throw new InboxError("ERR_INBOX_REQUEST", words, { gateway, status: response.statusCode });
    }
    return await readAll(response, maxBytes, gateway);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof InboxError) throw error;
    const words = `The file could not be read from the Gateway "${gateway}": ${clean(errorText(error))}`;
    throw new InboxError("ERR_INBOX_REQUEST", words, { gateway });
  }
}

/** The address of a path, if it is on the Gateway. An agent may write any path, and it must not lead elsewhere. */
function resolve({ url, name: gateway }: Settings, path: string): URL {
  const base = new URL(url);
  base.protocol = base.protocol === "wss:" ? "https:" : "http:";
  const target = URL.parse(path, base.href);
  if (target !== null && target.origin === base.origin && target.pathname.startsWith("/api/")) {
    // A user and a password in the link's address are not sent for a file.
    target.username = target.password = "";
    return target;
  }
  const words = `The file is not on the Gateway "${gateway}" itself, and nothing is read from anywhere else.`;
  throw new InboxError("ERR_INBOX_REQUEST", words, { gateway, elsewhere: true });
}

async function send(
  { tlsFingerprint, name: gateway }: Settings,
  target: URL,
  headers: http.OutgoingHttpHeaders,
  signal: AbortSignal,
): Promise<http.ClientRequest> {
  if (target.protocol === "http:") return http.get(target, { headers, signal, agent: false });
  if (tlsFingerprint === undefined) return https.get(target, { headers, signal, agent: false });
  // The headers hold a secret, so the certificate is checked before they are sent.
  const { hostname, port } = target;
  const host = hostname.replace(/^\[|\]$/g, "");
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const socket = tls.connect({ host, port: Number(port || 443), ...servername, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect", { signal });
    if (plain(socket.getPeerCertificate().fingerprint256) !== plain(tlsFingerprint)) {
      const words = `The certificate of the Gateway "${gateway}" is not the one of \`tlsFingerprint\`.`;
      throw new InboxError("ERR_INBOX_REQUEST", words, { gateway });
    }
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return https.get(target, { headers, signal, createConnection: () => socket });
}

function plain(fingerprint: string | undefined): string {
  return (fingerprint ?? "")
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, "")
    .replaceAll(":", "");
}

async function readAll(response: http.IncomingMessage, maxBytes: number, gateway: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const told = Number(response.headers["content-length"]);
  if (told > maxBytes) {
    response.destroy();
    throw tooLarge(gateway, maxBytes);
  }
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    // Leaving the loop ends the connection.
    if (bytes > maxBytes) throw tooLarge(gateway, maxBytes);
    chunks.push(chunk as Buffer);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
