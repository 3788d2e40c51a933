import type { Inbox } from "../inbox-api.ts";
import { createInspector, type Inspector } from "../inspector/inspector.ts";
import { createStatelyInspector, type StatelyInspector } from "../inspector/stately.ts";
import { assertNoArgument } from "./arguments.ts";
import type { OptionValues } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

/** The options of commands that can serve the inspector. */
export const inspectOptions = {
  inspect: {
    type: "boolean",
    help: "show what happens on a page on this machine; its address is printed",
  },
  "show-text": { type: "boolean", help: "show message texts on that page, not only their lengths" },
  "allow-actions": {
    type: "boolean",
    help: "let that page deliver dead letters again; without it, the page only shows",
  },
} as const;

/** The option of commands that can show actors in Stately's inspector. */
export const statelyOptions = {
  stately: { type: "boolean", help: "show runs in Stately's inspector; needs the package @statelyai/inspect" },
} as const;

const TOKEN = "OPENCLAW_INBOX_INSPECT_TOKEN";

/**
 * The port after `--inspect`, or 0 for any free port. Undefined without `--inspect`.
 *
 * @throws {UsageError} when it is not a port, or when there is an argument without `--inspect`.
 */
export function inspectPort(
  { inspect, "show-text": showText, "allow-actions": allowActions }: OptionValues<typeof inspectOptions>,
  positionals: readonly string[],
): number | undefined {
  if (inspect !== true) {
    assertNoArgument(positionals);
    if (showText === true) throw new UsageError("`--show-text` needs `--inspect`");
    if (allowActions === true) throw new UsageError("`--allow-actions` needs `--inspect`");
    return undefined;
  }
  const [given = "0", ...others] = positionals;
  assertNoArgument(others);
  const port = Number(given);
  if (!/^\d+$/.test(given) || port > 65_535)
    throw new UsageError("Expected a port from 0 to 65535 after `--inspect`, or nothing");
  return port;
}

/** Serves the inspector's page and prints its address. */
export async function serveInspector(
  inbox: Inbox,
  port: number,
  { "show-text": showText, "allow-actions": allowActions }: OptionValues<typeof inspectOptions>,
  terminal: Terminal,
): Promise<Inspector> {
  const token = process.env[TOKEN]?.trim();
  const inspector = await createInspector(inbox, {
    port,
    ...(showText !== undefined && { showText }),
    ...(allowActions !== undefined && { allowActions }),
    ...(token !== undefined && token !== "" && { token }),
  });
  terminal.note(`Inspector: ${inspector.url}`);
  return inspector;
}

/** Serves Stately's inspector and prints its address. */
export async function serveStately(terminal: Terminal): Promise<StatelyInspector> {
  const stately = await createStatelyInspector();
  terminal.note(`Stately's inspector: ${stately.url}`);
  return stately;
}
