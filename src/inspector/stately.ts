import type { ServerResponse } from "node:http";
import type { InspectionEvent } from "xstate";
import { assertKnownKeys, InboxError, optionError } from "../errors.ts";
import { assetRoutes, statelyFiles } from "./assets.ts";
import { listenOnLoopback } from "./loopback.ts";
import { beginEventStream, reply } from "./routes.ts";
import { StatelySample } from "./stately-sample.ts";

/** Options of {@link createStatelyInspector}. */
export interface StatelyOptions {
  /** The port on 127.0.0.1, from 0 to 65,535. Default 0: any free port. */
  readonly port?: number;
  /** The secret part of the address: 16 to 128 characters of `[A-Za-z0-9_-]`. Default: a random one. */
  readonly token?: string;
  /** How many runs and deliveries are shown at once, from 1. Links are always shown. Default 20. */
  readonly maxActors?: number;
  /** How many runs and deliveries may start to be shown in one minute, from 1. Default 60. */
  readonly maxNewPerMinute?: number;
}

/** Stately's inspector with the events of an inbox. */
export interface StatelyInspector extends AsyncDisposable {
  /** Give it to `createInbox` as `inspect`. The inbox hides message texts before it calls it. */
  readonly inspect: (event: InspectionEvent) => void;
  /** The page's address with its token. It frames https://stately.ai/inspect, which gets the events. */
  readonly url: string;
  readonly port: number;
  /** Closes every page and frees the port. Idempotent. */
  close(): Promise<void>;
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src https://stately.ai; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** How many pages may be open at once, and how far a page may be behind, in bytes, before it is closed. */
const MAX_PAGES = 4;
const MAX_BEHIND_BYTES = 8_388_608;

/** An event as Stately's package writes it. */
interface StatelyEvent {
  readonly type: string;
  readonly sessionId: string;
}

/** What a page that opens later is told first about an actor. */
interface LastWords {
  actor?: string;
  snapshot?: string;
}

/**
 * Shows the actors of an inbox in Stately's inspector, through a page on loopback only. It shows a sample, because one
 * actor per run would be too many. Needs the optional peer `@statelyai/inspect`.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, when the port is not free, or without that package.
 */
export async function createStatelyInspector(options: StatelyOptions = {}): Promise<StatelyInspector> {
  assertKnownKeys("createStatelyInspector", options, ["port", "token", "maxActors", "maxNewPerMinute"]);
  const { port = 0, token, maxActors = 20, maxNewPerMinute = 60 } = options;
  for (const [name, value] of Object.entries({ maxActors, maxNewPerMinute }))
    if (!Number.isInteger(value) || value < 1) throw optionError(name, "an integer >= 1", value);

  const { createInspector } = await loadPeer();
  const sample = new StatelySample({ maxActors, maxNewPerMinute });
  const known = new Map<string, LastWords>();
  const pages = new Set<ServerResponse>();

  function send(event: StatelyEvent): void {
    const line = `data: ${JSON.stringify(event)}\n\n`;
    const words = known.get(event.sessionId) ?? {};
    if (event.type === "@xstate.actor") known.set(event.sessionId, { actor: line });
    else if (event.type === "@xstate.snapshot") words.snapshot = line;
    for (const page of pages) {
      if (page.writableLength < MAX_BEHIND_BYTES) page.write(line);
      else page.destroy();
    }
    // The end of the actor was sent. A page that opens later need not know the actor.
    if (!sample.follows(event.sessionId)) known.delete(event.sessionId);
  }

  const stately = createInspector({ send });
  const server = await listenOnLoopback({
    port,
    token,
    policy: POLICY,
    routes: new Map([
      ...assetRoutes(statelyFiles),
      ["events", { answer: ({ response }) => openPage(pages, known, response) }],
    ]),
  });

  let closed: Promise<void> | undefined;
  const close = () => {
    for (const page of pages) page.end();
    closed ??= server.close();
    return closed;
  };
  return {
    inspect(event) {
      if (isFollowed(sample, event)) stately.inspect.next?.(event);
    },
    url: `${server.origin}/${server.token}/`,
    port: server.port,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function isFollowed(sample: StatelySample, event: InspectionEvent): boolean {
  const { sessionId, logic } = event.actorRef as InspectionEvent["actorRef"] & { readonly logic?: { id?: unknown } };
  if (event.type === "@xstate.actor") return sample.begin(sessionId, logic?.id === "link", Date.now());
  const follows = sample.follows(sessionId);
  if (follows && event.type === "@xstate.snapshot" && event.snapshot.status !== "active") sample.end(sessionId);
  return follows;
}

function openPage(pages: Set<ServerResponse>, known: ReadonlyMap<string, LastWords>, response: ServerResponse): void {
  if (pages.size >= MAX_PAGES) return reply(response, 503, "Too many pages are open.");
  if (!beginEventStream(response)) return;
  for (const { actor = "", snapshot = "" } of known.values()) response.write(actor + snapshot);
  pages.add(response);
  response.on("close", () => pages.delete(response));
}

async function loadPeer(): Promise<typeof import("@statelyai/inspect")> {
  try {
    return await import("@statelyai/inspect");
  } catch (cause) {
    const text = "Stately's inspector needs the package @statelyai/inspect: npm install @statelyai/inspect";
    throw new InboxError("ERR_INBOX_OPTION", text, { option: "stately" }, cause);
  }
}
