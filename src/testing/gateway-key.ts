/** Conversations whose ids keep their case: Signal groups, Matrix rooms and their threads. */
const KEEPS_CASE = /^(agent:[^:]+:(?:signal:group|matrix:(?:channel|group)):)(.+)$/i;

/** A session key as a Gateway writes it: in lower case, except for ids that keep their case. */
export function gatewayKey(key: string): string {
  const [, place, id] = KEEPS_CASE.exec(key) ?? [];
  return place === undefined || id === undefined ? key.toLowerCase() : place.toLowerCase() + id;
}
