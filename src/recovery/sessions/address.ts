import { readId } from "../../protocol/fields.ts";

/** Where a Gateway keeps a session. */
export interface Address {
  readonly key: string;
  /** Set only when the key names no agent (`global`, `unknown`). Then each agent has a session with that key. */
  readonly agentId?: string;
}

/** Reads an address from a key and the agent beside it. */
export function addressOf(key: string, agentId: unknown): Address {
  const agent = /^agent:/i.test(key) ? undefined : readId(agentId);
  return agent === undefined ? { key } : { key, agentId: agent };
}

/** The address as one string, for maps. */
export function addressName({ key, agentId }: Address): string {
  return agentId === undefined ? key : `${key}\u0000${agentId}`;
}

/** For the key of an isolated cron run, the session of its job. Any other address is returned unchanged. */
export function jobAddress({ key, ...agent }: Address): Address {
  return { key: /^(agent:[^:]+:cron:[^:]+):run:./i.exec(key)?.[1] ?? key, ...agent };
}

/** The key of a session's live runs: the reverse of {@link jobAddress}. */
export function liveKeyOf({ key }: Address, sessionId: string | undefined): string {
  const isJob = sessionId !== undefined && /^agent:[^:]+:cron:[^:]+$/i.test(key);
  return isJob ? `${key}:run:${sessionId}` : key;
}
