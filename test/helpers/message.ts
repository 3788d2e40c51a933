import type { ProactiveMessage } from "../../src/types.ts";

/** A message with this id. `fields` replace what it has by default. */
export function messageOf(id: string, fields: Partial<ProactiveMessage> = {}): ProactiveMessage {
  return {
    id,
    gateway: "home",
    runId: `run:${id}`,
    sessionKey: "agent:main:collavre:42:creative:100",
    session: { agentId: "main", userId: 42 },
    text: `text of ${id}`,
    attachments: [],
    startedAt: 1_000,
    completedAt: 2_000,
    late: false,
    recovered: false,
    origin: "cron",
    ...fields,
  };
}
