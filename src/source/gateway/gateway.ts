import { noLink } from "../request-error.ts";
import { limitRequests } from "../request-limit.ts";
import type { Source, SourceListener } from "../source.ts";
import { createGatewayLink, type GatewayLink } from "./connection.ts";
import { type GatewayOptions, readGatewayOptions } from "./options.ts";

/**
 * A connection to an OpenClaw Gateway, made by its official client: role `operator`, client id `gateway-client`,
 * mode `backend`. A lost connection comes back by itself, after 1 s, then 2 s, up to 30 s, for ever; while it is
 * up or coming back it keeps the process alive, as a server does.
 *
 * What only a person can mend (wrong token, pairing, protocol version, a scope not granted, an unsafe url) is a
 * `refused` link event. After it nothing is tried, and the process may end; `close()` and `open()` try again.
 *
 * A message that the client cannot parse becomes the frame `""`, since the client keeps its text to itself: it
 * is counted as any unreadable frame. The client drops JSON that is neither an event nor an answer, without a word.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function gatewaySource(options: GatewayOptions): Source {
  const settings = readGatewayOptions(options);
  let link: GatewayLink | undefined;
  let heardBy: SourceListener | undefined;
  let closing = Promise.resolve();

  const request = limitRequests(
    async (method, params, requestOptions) => {
      if (link === undefined) throw noLink(method, settings.name);
      return link.request(method, params, requestOptions);
    },
    { gateway: settings.name, onOverLimit: () => heardBy?.overLimit?.() },
  );

  return {
    name: settings.name,
    ...(settings.owner !== undefined && { owner: settings.owner }),
    open(listener) {
      if (link !== undefined) return;
      heardBy = listener;
      link = createGatewayLink(settings, listener);
      link.start();
    },
    close() {
      if (link !== undefined) closing = link.close();
      link = undefined;
      return closing;
    },
    request,
  };
}
