import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { buildDeviceAuthPayloadV3 } from "@openclaw/gateway-client";
import { describe, expect, it } from "vitest";
import { gatewaySource } from "../../src/source/gateway/gateway.ts";
import type { GatewayOptions } from "../../src/source/gateway/options.ts";
import { createHandshakeServer, sayHello } from "./handshake-server.ts";
import { createHeard } from "./heard.ts";

import { closeAfterTest, listen, token } from "./open-source.ts";

describe("a Gateway source with a device", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const keys = {
    deviceId: createHash("sha256").update(raw).digest("hex"),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }) as string,
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };

  it("signs the challenge", async () => {
    const { server, heard } = await listen(undefined, { device: keys });
    await heard.linked("hello");
    const device = server.connects[0]?.params["device"] as Record<string, string> & { signedAt: number };
    expect(device).toMatchObject({ id: keys.deviceId, publicKey: raw.toString("base64url"), nonce: "a-nonce" });
    const payload = buildDeviceAuthPayloadV3({
      deviceId: keys.deviceId,
      clientId: "gateway-client",
      clientMode: "backend",
      role: "operator",
      scopes: ["operator.read"],
      signedAtMs: device.signedAt,
      token,
      nonce: "a-nonce",
      platform: process.platform,
    });
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: device["publicKey"] ?? "" }, format: "jwk" });
    expect(verify(null, Buffer.from(payload), key, Buffer.from(device["signature"] ?? "", "base64url"))).toBe(true);
  });

  it("keeps the device token and signs in with it", async () => {
    let kept: { token: string; scopes: readonly string[] } | undefined;
    const device = {
      ...keys,
      loadToken: () => kept,
      storeToken(value: string, scopes: readonly string[]) {
        kept = { token: value, scopes };
      },
    };
    const { heard } = await listen(undefined, { device });
    await heard.linked("hello");
    expect(kept).toEqual({ token: "a-device-token", scopes: ["operator.read"] });

    await using later = await createHandshakeServer(sayHello);
    const source = gatewaySource({ url: later.url, device });
    closeAfterTest(source);
    const heardLater = createHeard();
    source.open(heardLater);
    await heardLater.linked("hello");
    expect(later.connects[0]?.params["auth"]).toMatchObject({ deviceToken: "a-device-token" });
  });

  it("says why the kept token cannot be read", async () => {
    const loadToken = () => {
      throw new Error("EACCES: permission denied");
    };
    const { heard } = await listen(undefined, { device: { ...keys, loadToken } });
    await heard.linked("refused");
    expect(heard.reasons[0]).toBe("The sign-in could not be made: EACCES: permission denied.");
  });

  it("connects when the device token cannot be kept", async () => {
    const storeToken = () => {
      throw new Error("ENOSPC");
    };
    await using server = await createHandshakeServer();
    const source = gatewaySource({ url: server.url, token, device: { ...keys, storeToken } });
    closeAfterTest(source);
    const told: unknown[] = [];
    const heard = { ...createHeard(), hostError: (option: string) => told.push(option) };
    source.open(heard);
    await heard.linked("hello");
    expect(told).toEqual(["device.storeToken"]);
  });

  it.each([
    [{ ...keys, deviceId: "0".repeat(64) }, "a `deviceId` that is not the public key's SHA-256"],
    [{ ...keys, privateKeyPem: "-----BEGIN" }, "keys that cannot be read"],
    [
      {
        ...keys,
        privateKeyPem: generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }) as string,
      },
      "a private key that does not belong to the public key",
    ],
    [
      {
        ...keys,
        publicKeyPem: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
          type: "spki",
          format: "pem",
        }) as string,
      },
      "keys that cannot be read",
    ],
    [null, "keys that cannot be read"],
  ])("is checked at once", (device, words) => {
    expect(() => gatewaySource({ url: "ws://127.0.0.1:1", device: device as never })).toThrow(
      expect.objectContaining({ code: "ERR_INBOX_OPTION", message: expect.stringContaining(words) as string }),
    );
  });
});

describe("the options of a Gateway source", () => {
  const url = "ws://127.0.0.1:18789";
  const fingerprint = "ab".repeat(32);

  it.each([
    [{}, "Expected `url` to be a ws:// or wss:// address, got `undefined`"],
    [
      { url: "http://localhost:1" },
      "Expected `url` to be a ws:// or wss:// address, got `http://localhost:1` (string)",
    ],
    [
      { url: `nonsense ${token}` },
      "Expected `url` to be a ws:// or wss:// address, got a string that is not an address",
    ],
    [
      { url: `http://u:${token}@h/?t=${token}` },
      "Expected `url` to be a ws:// or wss:// address, got `http://h` (string)",
    ],
    [
      { url: "ws://h/#a" },
      "Expected `url` to be a ws:// or wss:// address without a #fragment, got `ws://h#...` (string)",
    ],
    [{ url, token: 5 }, "Expected `token` to be a string that is not blank, got number"],
    [{ url, token: " " }, "Expected `token` to be a string that is not blank, got a blank string"],
    [{ url, password: null }, "Expected `password` to be a string that is not blank, got object"],
    [{ url, name: "" }, "Expected `name` to be a string that is not empty, got `` (string)"],
    [{ url, owner: 7 }, "Expected `owner` to be a string, got `7` (number)"],
    [{ url, allowInsecure: "yes" }, "Expected `allowInsecure` to be true or false, got `yes` (string)"],
    [{ url, scopes: [] }, "Expected `scopes` to be an array of one or more scope names, got an array"],
    [
      { url, requestTimeoutMs: -5 },
      "Expected `requestTimeoutMs` to be an integer from 1 to 2147483647, got `-5` (number)",
    ],
    [
      { url, tlsFingerprint: fingerprint },
      `Expected \`tlsFingerprint\` to be absent, since \`url\` is not wss://, got \`${fingerprint}\` (string)`,
    ],
    [
      { url: "wss://h", tlsFingerprint: "ab" },
      "Expected `tlsFingerprint` to be a SHA-256 fingerprint (64 hex digits, colons allowed), got `ab` (string)",
    ],
    [{ url, tokn: token }, "Expected an option of gatewaySource(), got `tokn`; did you mean `token`?"],
  ])("are checked at once: %j", (options, message) => {
    let thrown: unknown;
    try {
      gatewaySource(options as unknown as GatewayOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "ERR_INBOX_OPTION", message });
    expect(String(thrown)).not.toContain(token);
  });
});
