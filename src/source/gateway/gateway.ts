import { errorText } from "../../errors.ts";
import { noLink } from "../request-error.ts";
import { limitRequests } from "../request-limit.ts";
import type { Source, SourceListener } from "../source.ts";
import type { GatewayLink } from "./connection.ts";
import { downloadFile } from "./download-file.ts";
import { type GatewayOptions, type GatewaySettings, readGatewayOptions } from "./options.ts";

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
    download: (path, downloadOptions) => downloadFile(settings, path, downloadOptions),
  };
}

/** From one `open` to its `close`. */
interface OpenedLink {
  readonly listener: SourceListener;
  /** Once the client is loaded. */
  readonly link: GatewayLink | undefined;
  close(): Promise<void>;
}

/** The client takes longer to load than everything else together: only who connects pays for it. */
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
