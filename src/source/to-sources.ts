import { atPath, InboxError, optionError } from "../errors.ts";
import { gatewaySource } from "./gateway/gateway.ts";
import type { GatewayOptions } from "./gateway/options.ts";
import type { Source } from "./source.ts";

/** What an inbox can listen to: a Gateway's options or its address, or a source. */
export type Listened = GatewayOptions | Source | string;

/** The options `gateway` and `source`: each has one, several, or none. */
export interface ListenedOptions {
  readonly gateway?: Listened | readonly Listened[] | undefined;
  readonly source?: Listened | readonly Listened[] | undefined;
}

/**
 * Makes sources of the Gateways and sources in a host's options.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, named by its path (`gateway[1].url`), and when Gateways
 * at two addresses have the same name.
 */
export function toSources({ gateway, source }: ListenedOptions): readonly Source[] {
  const addresses = new Map<string, string>();
  return [...listed("gateway", gateway), ...listed("source", source)].map(([path, given]) =>
    atPath(path, () => toSource(given, addresses)),
  );
}

/** The list with the path of each option. */
function listed(option: string, given: Listened | readonly Listened[] | undefined): [string, Listened][] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) return [[option, given as Listened]];
  return given.map((one: Listened, i) => [`${option}[${i}]`, one]);
}

function toSource(given: Listened, addresses: Map<string, string>): Source {
  if (typeof given !== "string" && (typeof given !== "object" || given === null)) {
    throw optionError("options", "an address (ws:// or wss://), the options of a Gateway, or a source", given);
  }
  if (typeof given === "object" && "open" in given) return given;
  const options = typeof given === "string" ? { url: given } : given;
  const opened = gatewaySource(options);
  const address = addresses.get(opened.name) ?? options.url;
  if (address !== options.url) {
    throw new InboxError(
      "ERR_INBOX_OPTION",
      `Expected each Gateway to have a \`name\` of its own, got \`${opened.name}\` for two addresses`,
    );
  }
  addresses.set(opened.name, address);
  return opened;
}
