import { errorText } from "../../errors.ts";
import { noLink } from "../request-error.ts";
import { limitRequests } from "../request-limit.ts";
import type { Source, SourceListener } from "../source.ts";
import type { GatewayLink } from "./connection.ts";
import { type GatewayOptions, type GatewaySettings, readGatewayOptions } from "./options.ts";

/**
 * A connection to an OpenClaw Gateway, made by its official client: role `operator`, client id `gateway-client`, mode
 * `backend`. A lost connection comes back by itself: it tries after 1 s, then 2 s, up to every 30 s, without end. While
 * it is connected or tries again, it keeps the process alive, as a server does.
 *
 * When only a person can fix the problem (wrong token, pairing, protocol version, a scope not granted, an unsafe url),
 * the link is `refused`. Then it does not try again, and the process may end; `close()` and `open()` try again.
 *
 * A message that the client cannot parse becomes the frame `""`, because the client does not pass on its text. It is
 * counted like any unreadable frame. The client silently drops JSON that is neither an event nor an answer.
 *
 * @example
 * const work = gatewaySource({ name: "work", url: "wss://work.example.com", device: createDevice("./work.json") });
 * createInbox({ source: [work, "ws://127.0.0.1:18789"], deliver });
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option.
 */
export function gatewaySource(options: GatewayOptions): Source {
  const settings = readGatewayOptions(options);
  let opened: OpenedLink | undefined;
  let closing = Promise.resolve();

  const request = limitRequests(
    async (method, params, requestOptions) => {
      if (opened?.link === undefined) throw noLink(method, settings.name);
      return opened.link.request(method, params, requestOptions);
    },
    { gateway: settings.name, onOverLimit: () => opened?.listener.overLimit?.() },
  );

  return {
    name: settings.name,
    ...(settings.owner !== undefined && { owner: settings.owner }),
    open(listener) {
      opened ??= openLink(settings, listener);
    },
    close() {
      if (opened !== undefined) closing = opened.close();
      opened = undefined;
      return closing;
    },
    request,
    async download(path, downloadOptions) {
      // `node:http` is loaded for the first file only.
      const { downloadFile } = await import("./download-file.ts");
      return downloadFile(settings, path, downloadOptions);
    },
  };
}

/** From one `open` to its `close`. */
interface OpenedLink {
  readonly listener: SourceListener;
  /** Set when the client is loaded. */
  readonly link: GatewayLink | undefined;
  close(): Promise<void>;
}

/** The client takes longer to load than everything else together, so it is loaded only when a connection is opened. */
function openLink(settings: GatewaySettings, listener: SourceListener): OpenedLink {
  let link: GatewayLink | undefined;
  let isClosed = false;
  const begin = async () => {
    try {
      const { createGatewayLink } = await import("./connection.ts");
      if (isClosed) return;
      link = createGatewayLink(settings, listener);
    } catch (error) {
      const reason = `The Gateway client cannot be loaded: ${errorText(error)}. Install openclaw-inbox again.`;
      if (!isClosed) listener.link({ type: "refused", code: "NO_CLIENT", reason });
      return;
    }
    link.start();
  };
  void begin();
  return {
    listener,
    get link() {
      return link;
    },
    async close() {
      const isFirst = !isClosed;
      isClosed = true;
      if (link !== undefined) return link.close();
      if (isFirst) listener.link({ type: "ended", reason: "The source was closed." });
    },
  };
}
