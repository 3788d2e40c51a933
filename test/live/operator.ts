import { GatewayClient } from "@openclaw/gateway-client";
import { breakageIn } from "./breakage.ts";
import { createHeard, type Heard } from "./heard.ts";
import { within } from "./within.ts";

/** One event of the Gateway, as the driving connection saw it. */
export interface GatewayEvent {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The driving connection: it asks the Gateway for things and hears everything, and knows nothing of the inbox. */
export interface Operator {
  /** Waits for the connection when the Gateway is being restarted, then asks. */
  request<T = Record<string, unknown>>(method: string, params: object): Promise<T>;
  readonly heard: Heard<GatewayEvent>;
  /** What the Gateway said when it told that its own state is broken. */
  broken(): string | undefined;
  close(): Promise<void>;
}

const HELLO_TIMEOUT_MS = 60_000;
/** An old Gateway on a busy machine takes long to answer. */
const REQUEST_TIMEOUT_MS = 300_000;

/** Connects with all rights and subscribes to every session. */
export function connectOperator(url: string, token: string): Operator {
  const heard = createHeard<GatewayEvent>();
  let live = deferred();
  let broken: string | undefined;
  const client = new GatewayClient({
    url,
    token,
    minProtocol: 4,
    maxProtocol: 4,
    scopes: ["operator.read", "operator.write", "operator.admin"],
    onHelloOk: () =>
      client.request("sessions.subscribe", {}).then(
        () => live.resolve(),
        () => undefined,
      ),
    onClose: () => {
      live = deferred();
    },
    onEvent: (frame) => {
      const payload = (frame.payload ?? {}) as Record<string, unknown>;
      // A run that was asked for ends in a chat error, a job in a cron event that has one.
      broken ??= breakageIn(payload.errorMessage) ?? breakageIn(payload.error);
      heard.add({ event: frame.event, payload });
    },
  });
  client.start();
  return {
    heard,
    async request<T>(method: string, params: object) {
      await within(HELLO_TIMEOUT_MS, "the driving connection", live.promise);
      return client.request<T>(method, params, { timeoutMs: REQUEST_TIMEOUT_MS }).catch((error: unknown) => {
        broken ??= breakageIn((error as Error).message);
        throw error;
      });
    },
    broken: () => broken,
    close: () => client.stopAndWait(),
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
