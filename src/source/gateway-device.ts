import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { GatewayClientOptions } from "@openclaw/gateway-client";

/** A device that is, or is to be, paired with a Gateway: an Ed25519 key pair and the token that pairing brings. */
export interface GatewayDevice {
  /** SHA-256 of the raw public key, in lower case hex. The Gateway checks that it fits the key. */
  readonly deviceId: string;
  readonly publicKeyPem: string;
  readonly privateKeyPem: string;
  /** The device token that {@link GatewayDevice.storeToken} kept; used when there is no `token` and no `password`. */
  readonly loadToken?: () => { readonly token: string; readonly scopes?: readonly string[] } | undefined;
  /** Keeps the device token that the Gateway hands out at a hello, so that later connections need no shared token. */
  readonly storeToken?: (token: string, scopes: readonly string[]) => void;
  /** Forgets the kept device token: the Gateway no longer accepts it. */
  readonly clearToken?: () => void;
}

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
