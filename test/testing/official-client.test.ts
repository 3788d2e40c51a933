import { GatewayClient } from "@openclaw/gateway-client";
import { expect, it, onTestFinished } from "vitest";
import type { FakeGateway } from "../../src/testing/index.ts";
import { fakeGateway } from "./helpers.ts";

type ClientOptions = ConstructorParameters<typeof GatewayClient>[0];
type Heard = { readonly event: string; readonly payload?: unknown; readonly seq?: number };

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
  onTestFinished(() => client.stopAndWait());
  client.start();
  return client;
}

it("lets the official client hear a whole run without a gap", async () => {
  const gateway = await fakeGateway();
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
  expect((await final).payload).toMatchObject({
    runId: "run-1",
    message: { content: [{ text: "Hello from the run." }] },
  });
  expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, index) => index + 1));
  expect(gaps).toEqual([]);
});

it("answers the official client and refuses what needs another scope", async () => {
  const gateway = await fakeGateway();
  const client = clientOf(gateway);
  await gateway.nextConnection();
  gateway.say("Kept.", { sessionKey: "agent:main:one" });
  const history = (await client.request("chat.history", { sessionKey: "agent:main:one" })) as {
    messages: { role: string }[];
  };
  expect(history.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
  await expect(
    client.request("chat.send", { sessionKey: "a", message: "b", idempotencyKey: "c" }),
  ).rejects.toMatchObject({
    gatewayCode: "FORBIDDEN",
    details: { code: "MISSING_SCOPE", missingScope: "operator.write" },
  });
  await expect(client.request("no.such.method")).rejects.toMatchObject({ gatewayCode: "INVALID_REQUEST" });
});

it("makes the official client stop when the token is wrong", async () => {
  const gateway = await fakeGateway();
  const paused = await new Promise((resolve) => {
    clientOf(gateway, { token: "not-it", onReconnectPaused: resolve });
  });
  expect(paused).toMatchObject({ code: 1008, detailCode: "AUTH_TOKEN_MISMATCH" });
  expect(gateway.connections()).toEqual([]);
});

it("makes the official client retry after half a second while it starts", async () => {
  const gateway = await fakeGateway();
  gateway.refuse("starting", 2);
  const connection = gateway.nextConnection();
  clientOf(gateway);
  expect((await connection).role).toBe("operator");
});

it("numbers frames from 1 again after a restart", async () => {
  const gateway = await fakeGateway();
  const closes: number[] = [];
  const health = new Promise<Heard>((resolve) => {
    const onEvent = (event: Heard) => event.event === "health" && resolve(event);
    clientOf(gateway, { onClose: (code) => closes.push(code), onEvent });
  });
  await gateway.nextConnection();
  const back = gateway.nextConnection();
  await gateway.restart();
  await back;
  expect(closes).toEqual([1012]);
  expect(gateway.connections()).toHaveLength(1);
  gateway.emit("health", { ok: true });
  expect((await health).seq).toBe(1);
});
