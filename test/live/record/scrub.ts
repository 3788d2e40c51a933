import { createHash } from "node:crypto";
import os from "node:os";

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** The time the recordings begin at, by the Gateway's clock: 1 January 2026. */
const EPOCH_MS = 1_767_225_600_000;

/** What belongs to the machine that recorded, and what stands for it in the file. */
export interface Secrets {
  readonly token: string;
  readonly folder: string;
  readonly port: number;
}

/**
 * Replaces what a recording must not tell, and what differs from one to the next: tokens, folders, host and
 * user names, addresses, ids (numbered as they appear, unlike those of other scenarios) and times (counted from
 * 1 January 2026). One for all files of a scenario, so that one id is one id in each.
 */
export function createScrubber(
  scenario: string,
  { token, folder, port }: Secrets,
  beganAtMs: number,
): (line: string) => string {
  const own = createHash("sha256").update(scenario).digest("hex").slice(0, 8);
  const ids = new Map<string, string>();
  const idFor = (id: string): string => {
    const known = ids.get(id) ?? `${own}-0000-4000-8000-${String(ids.size + 1).padStart(12, "0")}`;
    ids.set(id, known);
    return known;
  };
  const names: readonly (readonly [string, string])[] = [
    [token, "<token>"],
    [folder, "/home/agent/openclaw"],
    [os.homedir(), "/home/agent"],
    [os.hostname(), "host"],
    [`127.0.0.1:${port}`, "127.0.0.1:18789"],
    [`"port":${port}`, '"port":18789'],
  ];
  return (line) => {
    let text = line;
    for (const [name, stand] of names) if (name.length > 1) text = text.replaceAll(name, stand);
    return text
      .replace(/"nonce":"[^"]*"/g, '"nonce":"<redacted>"')
      .replace(/\b1[78]\d{11}\b/g, (ms) => String(EPOCH_MS + Number(ms) - beganAtMs))
      .replace(UUID, idFor);
  };
}
