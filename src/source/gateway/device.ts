import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { GatewayClientOptions } from "@openclaw/gateway-client";
import type { GatewayDevice } from "./options.ts";

/** What the official client needs to act as `device`: the identity, the signature over each challenge, the kept token. */
export function deviceOptions(
  device: GatewayDevice | undefined,
): Pick<GatewayClientOptions, "deviceIdentity" | "hostDeps"> {
  if (device === undefined) return { deviceIdentity: null };
  const { deviceId, publicKeyPem, privateKeyPem } = device;
  return {
    deviceIdentity: { deviceId, publicKeyPem, privateKeyPem },
    hostDeps: {
      signDevicePayload: (pem, payload) =>
        sign(null, Buffer.from(payload), createPrivateKey(pem)).toString("base64url"),
      publicKeyRawBase64UrlFromPem: (pem) => createPublicKey(pem).export({ format: "jwk" }).x ?? "",
      loadDeviceAuthToken() {
        const kept = device.loadToken?.();
        return kept === undefined ? null : { token: kept.token, ...(kept.scopes && { scopes: [...kept.scopes] }) };
      },
      storeDeviceAuthToken: ({ token, scopes }) => device.storeToken?.(token, scopes),
      clearDeviceAuthToken: () => device.clearToken?.(),
    },
  };
}
