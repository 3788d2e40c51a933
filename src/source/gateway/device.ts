import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { GatewayClientOptions } from "@openclaw/gateway-client";

/** A device for pairing with a Gateway: an Ed25519 key pair, and the token that pairing brings. */
export interface GatewayDevice {
  /** SHA-256 of the raw public key, in lower case hex. The Gateway checks that it belongs to the key. */
  readonly deviceId: string;
  readonly publicKeyPem: string;
  readonly privateKeyPem: string;
  /** Loads the device token that {@link GatewayDevice.storeToken} has stored. Used without `token` and `password`. */
  readonly loadToken?: () => { readonly token: string; readonly scopes?: readonly string[] } | undefined;
  /** Stores the device token that the Gateway sends with a hello, so that later connections need no shared token. */
  readonly storeToken?: (token: string, scopes: readonly string[]) => void;
  /** Deletes the stored device token, because the Gateway does not accept it any longer. */
  readonly clearToken?: () => void;
}

/**
 * What the official client needs to act as `device`: the identity, the signature of each challenge, the stored token.
 * `onHostError` is called when the device fails to store or delete its token; the connection goes on.
 */
export function deviceOptions(
  device: GatewayDevice | undefined,
  onHostError: (option: string, error: unknown) => void,
): Pick<GatewayClientOptions, "deviceIdentity" | "hostDeps"> {
  if (device === undefined) return { deviceIdentity: null };
  const { deviceId, publicKeyPem, privateKeyPem } = device;
  return {
    deviceIdentity: { deviceId, publicKeyPem, privateKeyPem },
    hostDeps: {
      signDevicePayload: (pem, payload) =>
        sign(null, Buffer.from(payload), createPrivateKey(pem)).toString("base64url"),
      publicKeyRawBase64UrlFromPem: (pem) => rawPublicKey(pem).toString("base64url"),
      loadDeviceAuthToken() {
        const kept = device.loadToken?.();
        return kept === undefined ? null : { token: kept.token, ...(kept.scopes && { scopes: [...kept.scopes] }) };
      },
      storeDeviceAuthToken: ({ token, scopes }) =>
        guard("device.storeToken", onHostError, () => device.storeToken?.(token, scopes)),
      clearDeviceAuthToken: () => guard("device.clearToken", onHostError, () => device.clearToken?.()),
    },
  };
}

function guard(option: string, onHostError: (option: string, error: unknown) => void, call: () => void): void {
  try {
    call();
  } catch (error) {
    onHostError(option, error);
  }
}

/**
 * The id of a device: the SHA-256 of its raw public key, in lower case hex.
 *
 * @throws {Error} when `publicKeyPem` is not an Ed25519 key.
 */
export function deviceIdOf(publicKeyPem: string): string {
  return createHash("sha256").update(rawPublicKey(publicKeyPem)).digest("hex");
}

function rawPublicKey(pem: string): Buffer {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== "ed25519") throw new Error("not an Ed25519 key");
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}
