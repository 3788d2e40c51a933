import type { IncomingMessage, ServerResponse } from "node:http";
import { answer, type HttpHandler } from "../kit/http-server.ts";
import { answerByName, type Routes, refuseForeign, reply, targetOf } from "./routes.ts";

/** A request as Express passes it on: `url` lacks the path where the handler is mounted. */
type Mounted = IncomingMessage & { readonly originalUrl?: string };

/**
 * The same pages for the host's own server. The host checks who may look before it calls this. `path` is the part of
 * `request.url` before our names, if the server leaves it there.
 */
export function mountable(routes: Routes, policy: string, path: string, onFailure: () => void): HttpHandler {
  const handle: HttpHandler = (request: Mounted, response) => {
    if (refuseForeign(request, response, policy)) return;
    const { path: whole, query } = targetOf(request.url);
    const isBeneath = whole === path || whole.startsWith(`${path}/`);
    const rest = isBeneath ? whole.slice(path.length) : whole;
    const shown = targetOf(request.originalUrl ?? request.url).path;
    if (rest === "" || (rest === "/" && !shown.endsWith("/"))) return redirectBeneath(shown, response);
    return answerByName(routes, rest.slice(1), { query, request, response });
  };
  return async (request, response) => {
    if (!(await answer(handle, request, response))) onFailure();
  };
}

/**
 * Relative addresses in the page need a slash at the end of its own address. The redirect is relative, because the
 * request's `Host` cannot be trusted.
 */
function redirectBeneath(shown: string, response: ServerResponse): void {
  response.setHeader("Location", `./${shown.slice(shown.lastIndexOf("/") + 1)}/`);
  reply(response, 308, "");
}
