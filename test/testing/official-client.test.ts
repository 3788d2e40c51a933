import { GatewayClient } from "@openclaw/gateway-client";
import { afterEach, expect, it } from "vitest";
import { createFakeGateway, type FakeGateway } from "../../src/testing/index.ts";

type ClientOptions = ConstructorParameters<typeof GatewayClient>[0];
type Heard = { readonly event: string; readonly payload?: unknown; readonly seq?: number };

const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function gatewayWith(options: Parameters<typeof createFakeGateway>[0] = {}): Promise<FakeGateway> {
  const gateway = await createFakeGateway(options);
  open.push(() => gateway.close());
  return gateway;
}

function clientOf(gateway: FakeGateway, options: Partial<ClientOptions> = {}): GatewayClient {
  const client = new GatewayClient({
    url: gateway.url,
    token: gateway.token,
    clientName: "gateway-client",
    mode: "backend",
    role: "operator",
    scopes: ["operator.read"],
    ...options,
  });
  open.push(() => client.stopAndWait());
  client.start();
  return client;
}

it("is accepted by the official client, which hears a whole run without a gap", async () => {
  const gateway = await gatewayWith();
  const heard: Heard[] = [];
  const gaps: unknown[] = [];
  const final = new Promise<Heard>((resolve) => {
    const onEvent = (event: Heard) => {
      heard.push(event);
      if (event.event === "chat" && (event.payload as { state: string }).state === "final") resolve(event);
    };
    clientOf(gateway, { onEvent, onGap: (gap) => gaps.push(gap) });
  });
  const connection = await gateway.nextConnection();
  expect(connection.client).toMatchObject({ id: "gateway-client", mode: "backend" });
  expect(connection.scopes).toEqual(["operator.read"]);
  gateway.say("Hello from the run.", { sessionKey: "agent:main:one", runId: "run-1" });
  expect((await final).payload).toMatchObject({ runId: "run-1", message: { content: [{ text: "Hello from the run." }] } });
  expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, index) => index + 1));
  expect(gaps).toEqual([]);
});

it("answers the official client's requests, and refuses what needs another scope", async () => {
  const gateway = await gatewayWith();
  const client = clientOf(gateway);
  await gateway.nextConnection();
  gateway.say("Kept.", { sessionKey: "agent:main:one" });
  const history = (await client.request("chat.history", { sessionKey: "agent:main:one" })) as { messages: { role: string }[] };
  expect(history.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
  await expect(client.request("chat.send", { sessionKey: "a", message: "b", idempotencyKey: "c" })).rejects.toMatchObject({
    gatewayCode: "FORBIDDEN",
    details: { code: "MISSING_SCOPE", missingScope: "operator.write" },
  });
  await expect(client.request("no.such.method")).rejects.toMatchObject({ gatewayCode: "INVALID_REQUEST" });
});

it("makes the official client stop trying when the token is wrong", async () => {
  const gateway = await gatewayWith();
  const paused = await new Promise((resolve) => {
    clientOf(gateway, { token: "not-it", onReconnectPaused: resolve });
  });
  expect(paused).toMatchObject({ code: 1008, detailCode: "AUTH_TOKEN_MISMATCH" });
  expect(gateway.connections).toEqual([]);
});

it("makes the official client come back after half a second while it starts", async () => {
  const gateway = await gatewayWith();
  gateway.refuse("starting", 2);
  const connection = gateway.nextConnection();
  clientOf(gateway);
  expect((await connection).role).toBe("operator");
});

it("gets the official client back after a restart, numbering its frames from 1 again", async () => {
  const gateway = await gatewayWith();
  const closes: number[] = [];
  const seqs: (number | undefined)[] = [];
  clientOf(gateway, { onClose: (code) => closes.push(code), onEvent: ({ seq }: Heard) => seqs.push(seq) });
  await gateway.nextConnection();
  const back = gateway.nextConnection();
  await gateway.restart();
  await back;
  expect(closes).toEqual([1012]);
  gateway.emit("health", { ok: true });
  await gateway.flushed();
  const asked = gateway.nextRequest();
  expect(gateway.connections).toHaveLength(1);
  gateway.close().catch(() => {});
  await expect(asked).rejects.toMatchObject({ code: "ERR_INBOX_STOPPED" });
});
