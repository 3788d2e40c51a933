import type { IncomingMessage, ServerResponse } from "node:http";
import { refusalOfOrigin, safeHeaders } from "./guard.ts";

/** What is asked for under one name. */
export interface Question {
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers one name. */
export interface Route {
  /** Default `"GET"`, which is also `HEAD`. */
  readonly method?: "POST";
  readonly answer: (question: Question) => void | Promise<void>;
}

/** Answers by name. A name comes from outside, so this is no plain object. */
export type Routes = ReadonlyMap<string, Route>;

/** A request's path and query, as they came: nothing is decoded, and a request may carry any text in their place. */
export function targetOf(url = "/"): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf("?");
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at)) };
}

/** Sets what every answer carries, and says why a request gets none. True: it was answered. */
export function refuseForeign(request: IncomingMessage, response: ServerResponse, policy: string): boolean {
  for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
  response.setHeader("Content-Security-Policy", policy);
  const refusal = refusalOfOrigin(request);
  if (refusal !== undefined) reply(response, refusal.status, refusal.text);
  return refusal !== undefined;
}

/** Answers what lies under `name`, if there is such a thing and it may be asked for in this way. */
export function answerByName(routes: Routes, name: string, question: Question): void | Promise<void> {
  const { request, response } = question;
  const route = routes.get(name);
  if (route === undefined) return reply(response, 404, "Nothing here.");
  const { method = "GET", answer } = route;
  if (method === request.method || (method === "GET" && request.method === "HEAD")) return answer(question);
  response.setHeader("Allow", method === "GET" ? "GET, HEAD" : method);
  reply(response, 405, method === "GET" ? "Read only." : "By POST only.");
}

/** Answers with a whole body; a `HEAD` request gets its headers only. */
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

/** Begins a stream of server-sent events that a browser comes back to after a second. False when only its headers were asked for. */
export function beginEventStream(response: ServerResponse): boolean {
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no" });
  if (response.req.method === "HEAD") {
    response.end();
    return false;
  }
  response.write("retry: 1000\n\n");
  return true;
}
