import { GatewayClientRequestError } from "@openclaw/gateway-client";
import { describe, expect, it } from "vitest";
import * as told from "../../src/source/gateway/refusal.ts";

const refused = (code: string, more: object = {}) =>
  new GatewayClientRequestError({ code: "INVALID_REQUEST", message: "no", details: { code, ...more } });
const broken = (message: string, code?: string) => Object.assign(new Error(message), code !== undefined && { code });
const clean = (text: string) => text.replaceAll("secret", "***");
const explainRefusal = (error: Error | undefined, gaveUp: boolean) => told.explainRefusal(error, gaveUp, clean)?.reason;
const explainLoss = (address: string, end: { code: number; reason: string }, error?: Error) =>
  told.explainLoss(address, end, error, clean).reason;
const close = { code: 1008, reason: "connect failed" };

describe("the reason of a refusal", () => {
  it.each([
    ["AUTH_TOKEN_MISSING", "asks for a token"],
    ["AUTH_TOKEN_MISMATCH", "OPENCLAW_GATEWAY_TOKEN"],
    ["AUTH_TOKEN_NOT_CONFIGURED", "gateway.auth.token"],
    ["AUTH_PASSWORD_MISSING", "`password`"],
    ["AUTH_PASSWORD_MISMATCH", "`password`"],
    ["AUTH_PASSWORD_NOT_CONFIGURED", "gateway.auth.password"],
    ["AUTH_REQUIRED", "another kind of sign-in"],
    ["AUTH_UNAUTHORIZED", "another kind of sign-in"],
    ["AUTH_DEVICE_TOKEN_MISMATCH", "openclaw devices rotate"],
    ["AUTH_SCOPE_MISMATCH", "openclaw devices list"],
    ["AUTH_IDENTITY_HEADER_REQUIRED", "proxy"],
    ["AUTH_VERIFIED_USER_REQUIRED", "proxy"],
    ["PROTOCOL_MISMATCH", "protocol version"],
    ["CLIENT_VERSION_MISMATCH", "Update openclaw-inbox"],
    ["DEVICE_IDENTITY_REQUIRED", "`device`"],
    ["DEVICE_AUTH_SIGNATURE_INVALID", "pair it again"],
    ["PAIRING_REQUIRED", "openclaw devices approve <requestId>"],
    ["A_CODE_OF_NEXT_YEAR", "refused the connection: no."],
  ])("says what to do: %s", (code, words) => {
    const sentence = explainRefusal(refused(code), true);
    expect(sentence).toContain(words);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
  });

  it.each(["AUTH_TOKEN_NOT_CONFIGURED", "AUTH_UNAUTHORIZED", "DEVICE_AUTH_INVALID"])(
    "is told where the client would retry for ever: %s",
    (code) => expect(explainRefusal(refused(code), false)).toBeDefined(),
  );

  it.each([
    ["a token mismatch with a device token to fall back on", refused("AUTH_TOKEN_MISMATCH")],
    ["a pairing that the Gateway says to wait for", refused("PAIRING_REQUIRED")],
    ["a lockout", refused("AUTH_RATE_LIMITED")],
    ["an old signature, which a slow host may send", refused("DEVICE_AUTH_SIGNATURE_EXPIRED")],
    ["an answer without a code", new GatewayClientRequestError({ code: "INVALID_REQUEST", message: "hm" })],
    ["nobody there", broken("connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED")],
    ["an expired certificate, which its owner renews", broken("certificate has expired", "CERT_HAS_EXPIRED")],
    ["no error at all", undefined],
  ])("is undefined where the source retries: %s", (_what, error) => {
    expect(explainRefusal(error, false)).toBeUndefined();
  });

  it("is undefined during a lockout, though the client gave up", () => {
    expect(explainRefusal(refused("AUTH_RATE_LIMITED"), true)).toBeUndefined();
  });

  it("ignores codes that every object has as properties", () => {
    expect(explainRefusal(refused("constructor"), false)).toBeUndefined();
  });

  it("quotes the Gateway without our secrets", () => {
    const error = new GatewayClientRequestError({ message: "bad secret", details: { code: "NEW" } });
    expect(explainRefusal(error, true)).toBe("The Gateway refused the connection: bad ***.");
    expect(explainLoss("ws://h:1", close, error)).toBe("Could not connect to ws://h:1: bad ***.");
    expect(explainLoss("ws://h:1", { code: 4000, reason: "secret" })).toBe(
      "ws://h:1 closed the connection (4000 ***).",
    );
  });

  it("knows an old Gateway's protocol mismatch by its message", () => {
    expect(explainRefusal(new GatewayClientRequestError({ message: "protocol mismatch" }), false)).toContain(
      "protocol version",
    );
  });

  it("shows a pairing request's id only where it is one", () => {
    expect(explainRefusal(refused("PAIRING_REQUIRED", { requestId: "req-1" }), true)).toContain("approve req-1`");
    expect(explainRefusal(refused("PAIRING_REQUIRED", { requestId: "`; rm -rf ~" }), true)).toContain(
      "approve <requestId>`",
    );
  });

  it("tells an unexpected certificate from an untrusted one", () => {
    expect(explainRefusal(broken("gateway tls fingerprint mismatch"), false)).toContain("`tlsFingerprint`");
    expect(explainRefusal(broken("self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"), false)).toContain(
      "does not trust",
    );
  });

  it.each([
    [302, true],
    [401, true],
    [403, true],
    [404, false],
    [502, false],
  ])("is told for HTTP %i from a proxy: %s", (httpStatus, expected) => {
    const details = { reason: "websocket-upgrade-rejected", httpStatus };
    const error = new GatewayClientRequestError({ code: "UNAVAILABLE", message: "<html>", retryable: true, details });
    const sentence = explainRefusal(error, false);
    expect(sentence !== undefined).toBe(expected);
    expect(sentence ?? "").not.toContain("<html>");
  });
});

describe("the reason of a loss", () => {
  it("is the error or its code", () => {
    expect(explainLoss("ws://h:1", close, broken("getaddrinfo ENOTFOUND h"))).toBe(
      "Could not connect to ws://h:1: getaddrinfo ENOTFOUND h.",
    );
    expect(explainLoss("ws://h:1", close, broken("", "ECONNREFUSED"))).toBe(
      "Could not connect to ws://h:1: ECONNREFUSED.",
    );
  });

  it("is one line of bounded length", () => {
    const sentence = explainLoss("ws://h:1", { code: 4000, reason: "so\nlong ".repeat(1_000) }, undefined);
    expect(sentence.length).toBeLessThan(300);
    expect(sentence).not.toContain("\n");
  });
});

describe("the wait through a lockout", () => {
  it.each([
    [undefined, 60_000],
    [30_000, 30_000],
    [1, 1_000],
    [86_400_000, 600_000],
  ])("after %s ms from the Gateway is %i ms", (retryAfterMs, expected) => {
    expect(
      told.lockoutMs(
        new GatewayClientRequestError({ message: "no", ...(retryAfterMs !== undefined && { retryAfterMs }) }),
      ),
    ).toBe(expected);
  });
});
