import { gatewaySource } from "../source/gateway/gateway.ts";
import type { Source } from "../source/source.ts";
import { fromFlags } from "./arguments.ts";
import type { OptionValues } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** The options of commands that connect to a Gateway. */
export const gatewayOptions = {
  url: { type: "string", value: "URL", help: "the Gateway, e.g. ws://127.0.0.1:18789; or OPENCLAW_GATEWAY_URL" },
  token: {
    type: "string",
    value: "TOKEN",
    help: "its token; better OPENCLAW_GATEWAY_TOKEN, for `ps` shows options to everyone",
  },
} as const;

/**
 * The Gateway that options and environment name.
 *
 * @throws {UsageError} when they name none, or what they say is wrong.
 */
export function gatewayFromFlags(
  values: OptionValues<typeof gatewayOptions>,
  labels: { readonly name?: string; readonly owner?: string } = {},
): Source {
  const url = values.url ?? process.env["OPENCLAW_GATEWAY_URL"];
  const token = values.token ?? process.env["OPENCLAW_GATEWAY_TOKEN"];
  if (url === undefined || url === "")
    throw new UsageError("Expected the Gateway's address: --url or OPENCLAW_GATEWAY_URL");
  const names = new Map([
    ["url", values.url === undefined ? "OPENCLAW_GATEWAY_URL" : "--url"],
    ["token", values.token === undefined ? "OPENCLAW_GATEWAY_TOKEN" : "--token"],
    ["name", "--name"],
  ]);
  return fromFlags(names, () => gatewaySource({ url, ...(token !== undefined && { token }), ...labels }));
}
