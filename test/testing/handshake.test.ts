import { expect, it } from "vitest";
import { createTestClock } from "../../src/testing/index.ts";
import { connectClient, connectParams, fakeGateway, openClient } from "./helpers.ts";

it("sends a challenge first and hello for the right token", async () => {
  const gateway = await fakeGateway({ tickIntervalMs: 5_000, scopes: ["operator.read"] });
  const client = await openClient(gateway.url);
  const challenge = await client.event("connect.challenge");
  expect(challenge.payload.nonce).toEqual(expect.any(String));
  expect(challenge).not.toHaveProperty("seq");
  const hello = await client.request("connect", connectParams(gateway.token));
  expect(hello.payload).toMatchObject({
    type: "hello-ok",
    protocol: 4,
    auth: { role: "operator", scopes: ["operator.read"] },
    policy: { tickIntervalMs: 5_000 },
  });
  expect(gateway.connections().map(({ id }) => id)).toEqual([hello.payload.server.connId]);
});

it.each([
  ["a wrong token", "not-it", "AUTH_TOKEN_MISMATCH"],
  ["no token", undefined, "AUTH_TOKEN_MISSING"],
])("refuses %s with a code and close 1008", async (_what, token, code) => {
  const gateway = await fakeGateway({ token: "the-token" });
  const client = await openClient(gateway.url);
  const answer = await client.request("connect", connectParams(token));
  expect(answer).toMatchObject({ ok: false, error: { code: "INVALID_REQUEST", details: { code } } });
  expect((await client.closed).code).toBe(1008);
  expect(gateway.connections()).toEqual([]);
});

it("refuses another protocol and a first frame other than connect", async () => {
  const gateway = await fakeGateway();
  const old = await openClient(gateway.url);
  const answer = await old.request("connect", { ...connectParams(gateway.token), minProtocol: 2, maxProtocol: 3 });
  expect(answer.error.details.code).toBe("PROTOCOL_MISMATCH");
  expect((await old.closed).code).toBe(1002);
  const rude = await openClient(gateway.url);
  expect((await rude.request("chat.history", { sessionKey: "a" })).error.code).toBe("INVALID_REQUEST");
  expect((await rude.closed).code).toBe(1008);
});

it("refuses clients for a while as one that starts", async () => {
  const gateway = await fakeGateway();
  gateway.refuse("starting");
  const early = await openClient(gateway.url);
  const answer = await early.request("connect", connectParams(gateway.token));
  expect(answer.error).toEqual({
    code: "UNAVAILABLE",
    message: "gateway starting; retry shortly",
    retryable: true,
    retryAfterMs: 500,
    details: { reason: "startup-sidecars" },
  });
  expect(await early.closed).toEqual({ code: 1013, reason: "gateway starting" });
  await connectClient(gateway);
});

it("refuses as often as it is told, with any error", async () => {
  const gateway = await fakeGateway();
  gateway.refuse({ code: "UNAVAILABLE", message: "out of order" }, 2);
  for (let time = 0; time < 2; time += 1) await expect(connectClient(gateway)).rejects.toThrow("out of order");
  gateway.refuse("pairing", Number.POSITIVE_INFINITY);
  await expect(connectClient(gateway)).rejects.toThrow("PAIRING_REQUIRED");
  gateway.refuse("pairing", 0);
  await connectClient(gateway);
});

it("ticks by its clock to clients past hello", async () => {
  const clock = createTestClock(1_000);
  const gateway = await fakeGateway({ clock, tickIntervalMs: 30_000 });
  const stranger = await openClient(gateway.url);
  const client = await connectClient(gateway);
  clock.advance(90_000);
  await client.frame(({ event, payload }) => event === "tick" && payload.ts === 91_000);
  expect(client.events("tick").map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(stranger.events("tick")).toEqual([]);
});

it("answers an unknown method and wrong parameters", async () => {
  const client = await connectClient(await fakeGateway());
  expect((await client.request("no.such")).error).toEqual({
    code: "INVALID_REQUEST",
    message: "unknown method: no.such",
  });
  expect((await client.request("chat.history")).error.message).toMatch(/^invalid chat.history params/);
});

it("has a method answered by the test", async () => {
  const gateway = await fakeGateway();
  const client = await connectClient(gateway);
  gateway.respond("my.method", (params, connection) => ({ params, scopes: connection.scopes }));
  gateway.respond("chat.history", async () => {
    throw new Error("disk on fire");
  });
  const answered = gateway.nextRequest("my.method");
  const answer = await client.request("my.method", { a: 1 });
  expect(answer.payload).toEqual({ params: { a: 1 }, scopes: ["operator.read", "operator.write"] });
  expect(await answered).toMatchObject({ method: "my.method", params: { a: 1 } });
  expect((await client.request("chat.history", {})).error).toEqual({ code: "UNAVAILABLE", message: "disk on fire" });
  expect(gateway.requests.map(({ method }) => method)).toEqual(["my.method", "chat.history"]);
});
