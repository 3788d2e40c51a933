import { randomBytes } from "node:crypto";
import { InboxError, optionError } from "../errors.ts";
import { type HttpCounts, type HttpServer, startHttpServer } from "../kit/http-server.ts";
import { refusalOfHost, sameSecret } from "./guard.ts";
import { answerByName, type Question, type Routes, refuseForeign, reply, targetOf } from "./routes.ts";

/** Where a loopback server listens. */
export interface LoopbackOptions {
  /** From 0 (any free port) to 65,535. */
  readonly port: number;
  /** The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: a random one. */
  readonly token?: string | undefined;
  readonly policy: string;
  /** What is served under the token. The empty name is the page itself. */
  readonly routes: Routes;
  /** What is served without the token. */
  readonly open?: Routes;
}

/** A server for people on this machine. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  counts(): HttpCounts;
  close(): Promise<void>;
}

const nothing: Routes = new Map();

/**
 * Listens on 127.0.0.1 only, checks where each request comes from, and asks for the token. Keeps no process alive.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong port or token, and when the port is not free.
 */
export async function listenOnLoopback(options: LoopbackOptions): Promise<LoopbackServer> {
  const { port, token = randomBytes(24).toString("base64url"), policy } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw optionError("port", "an integer from 0 to 65535", port);
  // The token is a secret, so it is not quoted.
  if (!/^[\w-]{16,128}$/.test(token)) throw optionError("token", "16 to 128 characters of [A-Za-z0-9_-]", {});
  const server = await listen(port, (request, response) => {
    if (refuseForeign(request, response, policy)) return;
    const refusal = refusalOfHost(request);
    if (refusal !== undefined) return reply(response, refusal.status, refusal.text);
    const { path, query } = targetOf(request.url);
    return answer(path, { query, request, response }, token, options);
  });
  const { counts, close } = server;
  return { origin: `http://127.0.0.1:${server.port}`, port: server.port, token, counts, close };
}

function answer(path: string, question: Question, token: string, options: LoopbackOptions): void | Promise<void> {
  const { routes, open = nothing } = options;
  const [before, first = "", name, ...rest] = path.split("/");
  if (before !== "" || rest.length > 0) return reply(question.response, 404, "Nothing here.");
  if (!sameSecret(first, token)) return answerByName(name === undefined ? open : nothing, first, question);
  if (name !== undefined) return answerByName(routes, name, question);
  // Relative addresses in the page need the slash at the end.
  question.response.setHeader("Location", `/${token}/`);
  reply(question.response, 308, "");
}

async function listen(port: number, handler: Parameters<typeof startHttpServer>[2]): Promise<HttpServer> {
  try {
    return await startHttpServer("127.0.0.1", port, handler);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const text = `Cannot listen on port ${port} of 127.0.0.1: ${code ?? message}`;
    throw new InboxError("ERR_INBOX_OPTION", text, { option: "port" }, cause);
  }
}
