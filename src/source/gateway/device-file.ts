import { generateKeyPairSync, randomUUID } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { errorText, InboxError, optionError } from "../../errors.ts";
import type { GatewayDevice } from "./device.ts";
import { deviceIdOf } from "./device.ts";

/** The content of a device file. */
interface DeviceFile {
  readonly version: 1;
  readonly deviceId: string;
  readonly publicKeyPem: string;
  readonly privateKeyPem: string;
  readonly token?: string;
  readonly scopes?: readonly string[];
}

/** A device file has less than 1 kB. A file with more than this is another file. */
const MAX_BYTES = 65_536;

/**
 * This host as a device of a Gateway, stored in `file`. It is an Ed25519 key pair, created at the first call, and the
 * token that pairing brings. Only the owner can read the file. Its folder is created if needed. Several processes of
 * one host may share the file. Use one file for each Gateway, because a token is valid for one Gateway only. If the
 * file cannot be written, as a mounted secret, it keeps no token, and the shared `token` is needed.
 *
 * The first connection requests the pairing. `openclaw-inbox pair` waits for its approval.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when `file` is another file, or cannot be read or created.
 * @example
 * ```ts
 * const inbox = createInbox({ gateway: { url, token, device: createDevice("./device.json") }, deliver });
 * ```
 */
export function createDevice(file: string | URL): GatewayDevice {
  const path = toPath(file);
  const { deviceId, publicKeyPem, privateKeyPem } = readOrMake(path);
  return {
    deviceId,
    publicKeyPem,
    privateKeyPem,
    loadToken() {
      const { token, scopes } = readDevice(path);
      return token === undefined ? undefined : { token, ...(scopes && { scopes }) };
    },
    storeToken(token, scopes) {
      const device = readDevice(path);
      if (device.token === token && String(device.scopes) === String(scopes)) return;
      replace(path, { ...device, token, scopes });
    },
    clearToken() {
      const { token, scopes, ...device } = readDevice(path);
      if (token !== undefined || scopes !== undefined) replace(path, device);
    },
  };
}

function toPath(file: unknown): string {
  if (file instanceof URL && file.protocol === "file:") return fileURLToPath(file);
  if (typeof file !== "string" || file === "" || file.includes("\0"))
    throw optionError("file", "a path or a file: URL", file);
  return resolve(file);
}

function readOrMake(path: string): DeviceFile {
  try {
    return readDevice(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeWhole(path, makeDevice(), linkSync);
  } catch (error) {
    // Another process was faster. Its device is ours, too.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw unusable(path, `cannot be made: ${errorText(error)}`, error);
  }
  return readDevice(path);
}

function makeDevice(): DeviceFile {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const publicKeyPem = publicKey.export({ type: "spki", format: "pem" }) as string;
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { version: 1, deviceId: deviceIdOf(publicKeyPem), publicKeyPem, privateKeyPem };
}

function readDevice(path: string): DeviceFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw unusable(path, `cannot be read: ${errorText(error)}`, error);
  }
  const { version, deviceId, publicKeyPem, privateKeyPem, token, scopes } = parse(path, text);
  if (version !== 1) throw unusable(path, "is no device file");
  try {
    if (deviceIdOf(String(publicKeyPem)) !== deviceId || typeof privateKeyPem !== "string") throw new Error();
  } catch {
    throw unusable(path, "is damaged: its key and its id do not fit. Restore it, or remove it to pair as a new device");
  }
  return {
    version,
    deviceId,
    publicKeyPem: String(publicKeyPem),
    privateKeyPem,
    ...(typeof token === "string" && token !== "" && { token }),
    ...(Array.isArray(scopes) && { scopes: scopes.filter((scope) => typeof scope === "string") }),
  };
}

function parse(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(text.length > MAX_BYTES ? undefined : JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    throw unusable(path, "is no device file");
  }
}

/** Replaces the whole file, so that another process never reads half of it. */
function replace(path: string, device: DeviceFile): void {
  try {
    writeWhole(path, device, renameSync);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EROFS", "EACCES", "EPERM"].includes(code)) throw error;
  }
}

function writeWhole(path: string, device: DeviceFile, putInPlace: (from: string, to: string) => void): void {
  const written = `${path}.${randomUUID()}`;
  try {
    writeFileSync(written, `${JSON.stringify(device, undefined, 2)}\n`, { flag: "wx", mode: 0o600 });
    chmodSync(written, 0o600);
    putInPlace(written, path);
  } finally {
    rmSync(written, { force: true });
  }
}

/** Never quotes the content of the file. */
function unusable(path: string, problem: string, cause?: unknown): InboxError {
  return new InboxError(
    "ERR_INBOX_OPTION",
    `The device file ${path} ${problem}`,
    { option: "file", file: path },
    cause,
  );
}

function isMissing(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === "ENOENT";
}
