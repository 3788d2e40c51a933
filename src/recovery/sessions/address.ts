import { readId } from "../../protocol/fields.ts";

/** Where a Gateway keeps a session. */
export interface Address {
  readonly key: string;
  /** Told only where the key names no agent (`global`, `unknown`): then each agent has a session of that key. */
  readonly agentId?: string;
}

/** Reads an address from a key and the agent that is told beside it. */
export function addressOf(key: string, agentId: unknown): Address {
  const agent = /^agent:/i.test(key) ? undefined : readId(agentId);
  return agent === undefined ? { key } : { key, agentId: agent };
}

/** One word for an address, for maps. */
export function addressName({ key, agentId }: Address): string {
  return agentId === undefined ? key : `${key}\u0000${agentId}`;
}

/** The session of a cron job, of the key that one of its isolated runs streams under; any other address as it is. */
export function jobAddress({ key, ...agent }: Address): Address {
  return { key: /^(agent:[^:]+:cron:[^:]+):run:./i.exec(key)?.[1] ?? key, ...agent };
}

/** The key that the runs of a session have live; the other way round from {@link jobAddress}. */
export function liveKeyOf({ key }: Address, sessionId: string | undefined): string {
  const isJob = sessionId !== undefined && /^agent:[^:]+:cron:[^:]+$/i.test(key);
  return isJob ? `${key}:run:${sessionId}` : key;
}
