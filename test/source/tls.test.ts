import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import { helloPayload } from "./handshake-server.ts";
import { createHeard } from "./heard.ts";

/** Signed by nobody but itself, for localhost, until the year 2126. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUIFiJI/UI+ycKTC/Glvj1MXRyVwYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEwMjEyMloYDzIxMjYxMDI5
MTAyMTIyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQTf2+gALf/C/280hr3r2APn2Ti3GrZ6AZKBzv4k4bUPTU4tgGcgV4+
m39iW1VtRNF/EiB/oTDyYdisvfAPEvH8o28wbTAdBgNVHQ4EFgQU2DE47s5BAEoZ
oZzbyAN9rWeQiEowHwYDVR0jBBgwFoAU2DE47s5BAEoZoZzbyAN9rWeQiEowDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhALhH6dgvkvrJelHglmTCt/8FwrE2pwl/uA3/4aW6sdZJAiBP
q2eqtMDJarvA6n5+kbuCjs7CCC0oK5evA+1mQN3LhQ==
-----END CERTIFICATE-----`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCRus5PtT3QhVfBMO
Q3w060TZ1m0fs4gsu8AL+4Ccy6mhRANCAAQTf2+gALf/C/280hr3r2APn2Ti3GrZ
6AZKBzv4k4bUPTU4tgGcgV4+m39iW1VtRNF/EiB/oTDyYdisvfAPEvH8
-----END PRIVATE KEY-----`;
const { fingerprint256 } = new X509Certificate(cert);

let server: Server;
let url = "";

beforeAll(async () => {
  server = createServer({ cert, key });
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

describe("a Gateway behind a certificate that nobody vouches for", () => {
  it("is refused, with the way to trust it", async () => {
    const { order, reasons } = await meet();
    expect(order).toEqual(["connect", "refused"]);
    expect(reasons[0]).toContain("Set `tlsFingerprint`");
  });

  it.each([
    ["as browsers write it", fingerprint256],
    ["as the Gateway writes it", `sha256:${fingerprint256.replaceAll(":", "").toLowerCase()}`],
  ])("is accepted by its fingerprint, %s", async (_how, fingerprint) => {
    expect((await meet(fingerprint)).order).toEqual(["connect", "hello", "ended"]);
  });

  it("is refused where its fingerprint is another", async () => {
    const { order, reasons } = await meet("ab".repeat(32));
    expect(order).toEqual(["connect", "refused"]);
    expect(reasons[0]).toContain("is not the one in `tlsFingerprint`");
  });
});
