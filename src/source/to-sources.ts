import { InboxError } from "../errors.ts";
import { gatewaySource } from "./gateway/gateway.ts";
import type { GatewayOptions } from "./gateway/options.ts";
import type { Source } from "./source.ts";

/**
 * The Gateways and sources of a host's options, each as a source.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` for a wrong option, and when Gateways at two addresses have one name.
 */
export function toSources(sources: readonly (GatewayOptions | Source)[]): readonly Source[] {
  const addresses = new Map<string, string>();
  return sources.map((source) => {
    if (typeof source === "object" && source !== null && "open" in source) return source;
    const opened = gatewaySource(source);
    const address = addresses.get(opened.name) ?? source.url;
    if (address !== source.url) {
      throw new InboxError(
        "ERR_INBOX_OPTION",
        `Expected each Gateway to have a \`name\` of its own, got \`${opened.name}\` for two addresses`,
        { option: "gateway" },
      );
    }
    addresses.set(opened.name, address);
    return opened;
  });
}
