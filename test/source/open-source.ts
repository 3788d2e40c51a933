/** A source of a Gateway that a test plays by hand, and what the source reports. */
import { afterEach, expect } from "vitest";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import type { GatewayOptions } from "../../src/source/gateway/options.ts";
import type { Source } from "../../src/source/source.ts";
import { type Answerer, createHandshakeServer, type HandshakeServer, refuse } from "./handshake-server.ts";
import { createHeard, type Heard } from "./heard.ts";

/** The token of every Gateway here. */
export const token = "a-token-that-nobody-may-see";

/** A source that can send requests. */
export type AskingSource = Source & Required<Pick<Source, "request">>;

const closing: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

/** Closes sources and servers after the test. */
export function closeAfterTest(...ones: { close(): Promise<unknown> }[]): void {
  closing.push(...ones);
}

/** Opens a source of a Gateway that answers by `answer`; by default it accepts everybody. Both are closed after the test. */
export async function listen(
  answer?: Answerer,
  options: Partial<GatewayOptions> = {},
): Promise<{ server: HandshakeServer; source: AskingSource; heard: Heard }> {
  const server = await createHandshakeServer(answer);
  const source = gatewaySource({ url: server.url, token, ...options }) as AskingSource;
  const heard = createHeard();
  closeAfterTest(source, server);
  source.open(heard);
  return { server, source, heard };
}

/** Answers every request with this error. */
export function refuseWith(error: object): Answerer {
  return ({ id }, ws) => refuse(id, ws, error);
}

/** Expects that a request of the method `silence`, which nobody answers, ends with its signal. */
export async function expectEndWithSignal(source: AskingSource): Promise<void> {
  const aborted = { code: "ERR_INBOX_REQUEST", details: { aborted: true } };
  await expect(source.request("silence", {}, { signal: AbortSignal.abort() })).rejects.toMatchObject(aborted);
  const stop = new AbortController();
  const asked = source.request("silence", {}, { signal: stop.signal });
  stop.abort();
  await expect(asked).rejects.toMatchObject(aborted);
}
