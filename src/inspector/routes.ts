import type { IncomingMessage, ServerResponse } from "node:http";
import { refusalOfOrigin, safeHeaders } from "./guard.ts";

/** A request for one name. */
export interface Question {
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers requests for one name. */
export interface Route {
  /** Default `"GET"`, which includes `HEAD`. */
  readonly method?: "POST";
  readonly answer: (question: Question) => void | Promise<void>;
}

/** Answers by name. It is a Map because names come from outside. */
export type Routes = ReadonlyMap<string, Route>;

/** The path and query of a request as they came. Nothing is decoded, and any text may be in them. */
export function targetOf(url = "/"): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf("?");
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at)) };
}

/** Sets the headers of every answer, and answers a request that must be refused. Returns true when it was answered. */
export function refuseForeign(request: IncomingMessage, response: ServerResponse, policy: string): boolean {
  for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
  response.setHeader("Content-Security-Policy", policy);
  const refusal = refusalOfOrigin(request);
  if (refusal !== undefined) reply(response, refusal.status, refusal.text);
  return refusal !== undefined;
}

/** Answers the request for `name`, if the name exists and the method is right. */
export function answerByName(routes: Routes, name: string, question: Question): void | Promise<void> {
  const { request, response } = question;
  const route = routes.get(name);
  if (route === undefined) return reply(response, 404, "Nothing here.");
  const { method = "GET", answer } = route;
  if (method === request.method || (method === "GET" && request.method === "HEAD")) return answer(question);
  response.setHeader("Allow", method === "GET" ? "GET, HEAD" : method);
  reply(response, 405, method === "GET" ? "Read only." : "By POST only.");
}

/** Answers with a whole body. A `HEAD` request gets only the headers. */
export function reply(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Answers with JSON. */
export function replyJson(response: ServerResponse, status: number, value: unknown): void {
  reply(response, status, JSON.stringify(value), "application/json; charset=utf-8");
}

/**
 * Begins a stream of server-sent events. A browser reconnects to it after a second. Returns false when only the headers
 * were asked for.
 */
export function beginEventStream(response: ServerResponse): boolean {
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no" });
  if (response.req.method === "HEAD") {
    response.end();
    return false;
  }
  response.write("retry: 1000\n\n");
  return true;
}
