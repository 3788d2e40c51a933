import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
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

/**
 * What the official client needs to act as `device`: the identity, the signature over each challenge, the kept token.
 * `onHostError` is told when the device cannot keep or forget its token; the connection goes on.
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
 * @throws {Error} when `publicKeyPem` is no Ed25519 key.
 */
export function deviceIdOf(publicKeyPem: string): string {
  return createHash("sha256").update(rawPublicKey(publicKeyPem)).digest("hex");
}

function rawPublicKey(pem: string): Buffer {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== "ed25519") throw new Error("not an Ed25519 key");
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}
