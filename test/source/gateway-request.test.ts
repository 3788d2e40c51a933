import { describe, expect, it } from "vitest";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import { type Answerer, accept, createHandshakeServer, helloPayload, refuse } from "./handshake-server.ts";
import { createHeard } from "./heard.ts";

import { closeAfterTest, expectEndWithSignal, listen, token } from "./open-source.ts";

describe("a request to a Gateway", () => {
  const answer: Answerer = ({ id, method, params }, ws) => {
    if (method === "connect") accept(id, ws, helloPayload);
    if (method === "echo") accept(id, ws, params);
    if (method === "bad")
      refuse(id, ws, { code: "INVALID_REQUEST", message: `no ${token}`, retryable: true, retryAfterMs: 5 });
    if (method === "scoped") {
      refuse(id, ws, {
        code: "FORBIDDEN",
        message: "no",
        details: { code: "MISSING_SCOPE", missingScope: "operator.write", requiredScopes: ["operator.write"] },
      });
    }
    if (method === "old-scoped") refuse(id, ws, { code: "INVALID_REQUEST", message: "missing scope: operator.admin" });
    if (method === "cut") ws.terminate();
  };

  it("resolves with the payload, even within the hello", async () => {
    await using server = await createHandshakeServer(answer);
    const source = gatewaySource({ url: server.url, token });
    closeAfterTest(source);
    let asked: Promise<unknown> | undefined;
    const heard = createHeard((event) => {
      if (event.type === "hello") asked = source.request?.("echo", { a: 1 });
    });
    source.open(heard);
    await heard.linked("hello");
    expect(await asked).toEqual({ a: 1 });
  });

  it("rejects before the hello and after the close", async () => {
    const { source, heard } = await listen(answer);
    await expect(source.request("echo", {})).rejects.toMatchObject({
      code: "ERR_INBOX_NO_LINK",
      details: { method: "echo" },
    });
    await heard.linked("hello");
    await source.close();
    await expect(source.request("echo", {})).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });

  it("rejects when the connection breaks", async () => {
    const { source, heard } = await listen(answer);
    await heard.linked("hello");
    await expect(source.request("cut", {})).rejects.toMatchObject({ code: "ERR_INBOX_NO_LINK" });
  });

  it("rejects with the Gateway's code and without the token", async () => {
    const { source, heard } = await listen(answer);
    await heard.linked("hello");
    const error: unknown = await source.request("bad", {}).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "ERR_INBOX_REQUEST",
      message: "The Gateway refused bad (INVALID_REQUEST): no ***",
      details: { gatewayCode: "INVALID_REQUEST", retryable: true, retryAfterMs: 5 },
    });
    expect((error as Error).cause).toBeUndefined();
  });

  it.each([
    ["scoped", "operator.write"],
    ["old-scoped", "operator.admin"],
  ])("rejects with ERR_INBOX_SCOPE for a missing scope (%s)", async (method, scope) => {
    const { source, heard } = await listen(answer);
    await heard.linked("hello");
    await expect(source.request(method, {})).rejects.toMatchObject({ code: "ERR_INBOX_SCOPE", details: { scope } });
  });

  it("rejects with ERR_INBOX_REQUEST when no answer comes in time", async () => {
    const { source, heard } = await listen(answer, { requestTimeoutMs: 20 });
    await heard.linked("hello");
    await expect(source.request("silence", {})).rejects.toMatchObject({
      code: "ERR_INBOX_REQUEST",
      details: { timeoutMs: 20 },
    });
  });

  it("ends at once when its signal is aborted", async () => {
    const { source, heard } = await listen(answer);
    await heard.linked("hello");
    await expectEndWithSignal(source);
  });

  it("rejects what cannot be sent", async () => {
    const { source, heard } = await listen(answer);
    await heard.linked("hello");
    const circle: { self?: object } = {};
    circle.self = circle;
    await expect(source.request("echo", circle)).rejects.toMatchObject({ code: "ERR_INBOX_REQUEST" });
  });
});
