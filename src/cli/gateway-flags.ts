import { createDevice } from "../source/gateway/device-file.ts";
import { gatewaySource } from "../source/gateway/gateway.ts";
import type { GatewayOptions } from "../source/gateway/options.ts";
import type { Source } from "../source/source.ts";
import { toSources } from "../source/to-sources.ts";
import { fromFlags } from "./arguments.ts";
import type { NameOf, OptionValues } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** The options of commands that connect to a Gateway. */
export const gatewayOptions = {
  url: {
    type: "string",
    value: "URL",
    env: "OPENCLAW_GATEWAY_URL",
    help: "the Gateway, e.g. ws://127.0.0.1:18789; or OPENCLAW_GATEWAY_URL",
  },
  token: {
    type: "string",
    value: "TOKEN",
    env: "OPENCLAW_GATEWAY_TOKEN",
    help: "its token; OPENCLAW_GATEWAY_TOKEN is better: every user can see options",
  },
  password: {
    type: "string",
    value: "WORD",
    env: "OPENCLAW_GATEWAY_PASSWORD",
    help: "its password, if it has one; OPENCLAW_GATEWAY_PASSWORD is better",
  },
  device: {
    type: "string",
    value: "FILE",
    help: "the key of this host, for Gateways that need pairing: see `pair`",
  },
  "tls-fingerprint": { type: "string", value: "HEX", help: "the Gateway's certificate, when no authority signed it" },
  "allow-insecure": { type: "boolean", help: "plain ws:// and http:// to any host that has a name" },
} as const;

/**
 * The Gateways of the configuration, or the one from options and environment. When the configuration has only one
 * Gateway, options and environment may add its token, password and device. Then the file need not hold secrets.
 *
 * @throws {UsageError} when there is no Gateway, or when both places name one.
 */
export function gatewayOptionsFrom(
  values: GatewayValues,
  nameOf: NameOf,
  configured: readonly GatewayOptions[] = [],
): readonly GatewayOptions[] {
  const { url } = values;
  const [first, ...others] = configured;
  if (first !== undefined && url !== undefined)
    throw new UsageError(`Expected the Gateway either by ${nameOf("url")} or in the configuration, got both`);
  if (others.length > 0) return configured;
  if (first !== undefined) return [{ ...fromValues(values, nameOf), ...first }];
  if (url === undefined || url === "")
    throw new UsageError("Expected the Gateway's address: --url or OPENCLAW_GATEWAY_URL");
  return [{ url, ...fromValues(values, nameOf) }];
}

/** The same Gateways, each as a source. */
export function gatewaysFrom(
  values: GatewayValues,
  nameOf: NameOf,
  configured?: readonly GatewayOptions[],
): readonly Source[] {
  const options = gatewayOptionsFrom(values, nameOf, configured);
  if (configured !== undefined && configured.length > 0) return toSources({ gateway: options });
  const names = new Map([
    ...["url", "token", "password", "name", "owner"].map((option) => [option, nameOf(option)] as const),
    ["tlsFingerprint", nameOf("tls-fingerprint")] as const,
  ]);
  return fromFlags(names, () => options.map(gatewaySource));
}

/** The Gateway of a command that takes exactly one. */
export function gatewayFrom(values: GatewayValues, nameOf: NameOf): Source {
  const [source] = gatewaysFrom(values, nameOf);
  return source as Source;
}

type GatewayValues = OptionValues<typeof gatewayOptions> & { readonly name?: string; readonly owner?: string };

function fromValues(values: GatewayValues, nameOf: NameOf): Omit<GatewayOptions, "url"> {
  const { token, password, device: file, "tls-fingerprint": tlsFingerprint, name, owner } = values;
  const device =
    file === undefined ? undefined : fromFlags(new Map([["file", nameOf("device")]]), () => createDevice(file));
  return {
    ...(token !== undefined && { token }),
    ...(password !== undefined && { password }),
    ...(device !== undefined && { device }),
    ...(tlsFingerprint !== undefined && { tlsFingerprint }),
    ...(values["allow-insecure"] === true && { allowInsecure: true }),
    ...(name !== undefined && { name }),
    ...(owner !== undefined && { owner }),
  };
}
