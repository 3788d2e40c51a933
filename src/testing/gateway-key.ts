/** Conversations whose ids tell upper from lower case: Signal groups, Matrix rooms and their threads. */
const KEEPS_CASE = /^(agent:[^:]+:(?:signal:group|matrix:(?:channel|group)):)(.+)$/i;

/** A session key as a Gateway writes it, whatever a client wrote: in lower case, but for ids that tell the cases apart. */
export function gatewayKey(key: string): string {
  const [, place, id] = KEEPS_CASE.exec(key) ?? [];
  return place === undefined || id === undefined ? key.toLowerCase() : place.toLowerCase() + id;
}
