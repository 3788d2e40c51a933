import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import { certificate, certificateKey } from "../helpers/certificate.ts";
import { helloPayload } from "./handshake-server.ts";
import { createHeard } from "./heard.ts";

const { fingerprint256 } = new X509Certificate(certificate);

let server: Server;
let url = "";

beforeAll(async () => {
  server = createServer({ cert: certificate, key: certificateKey });
  new WebSocketServer({ server }).on("connection", (ws) => {
    ws.on("message", (data) => {
      const { id } = JSON.parse(String(data)) as { id: string };
      ws.send(JSON.stringify({ type: "res", id, ok: true, payload: helloPayload }));
    });
    ws.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `wss://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

async function meet(tlsFingerprint?: string) {
  const source = gatewaySource({ url, token: "t", ...(tlsFingerprint !== undefined && { tlsFingerprint }) });
  const heard = createHeard();
  source.open(heard);
  await Promise.race([heard.linked("hello"), heard.linked("refused"), heard.linked("lost")]);
  await source.close();
  return heard;
}

describe("a Gateway with a self-signed certificate", () => {
  it("is refused with the way to trust it", async () => {
    const { order, reasons } = await meet();
    expect(order).toEqual(["connect", "refused"]);
    expect(reasons[0]).toContain("Set `tlsFingerprint`");
  });

  it.each([
    ["as browsers write it", fingerprint256],
    ["as the Gateway writes it", `sha256:${fingerprint256.replaceAll(":", "").toLowerCase()}`],
  ])("is accepted by its fingerprint: %s", async (_how, fingerprint) => {
    expect((await meet(fingerprint)).order).toEqual(["connect", "hello", "ended"]);
  });

  it("is refused with another fingerprint", async () => {
    const { order, reasons } = await meet("ab".repeat(32));
    expect(order).toEqual(["connect", "refused"]);
    expect(reasons[0]).toContain("is not the one in `tlsFingerprint`");
  });
});
