import type { GatewayEvent } from "../types.ts";

const STATES = ["status", "delta", "final", "error", "aborted"];
const STATE_PLACES = 8;
/** So many connections' events have a number for a key; those of later ones have a string, which costs a little more. */
const LIVES = 4_096;
// Beyond it a product with both places is no longer exact.
const MAX_SEQ = 2 ** 38;

/**
 * Says what makes two events of one run id the same: their Gateway, `state` and `seq`, since a delta and the final may
 * share one `seq`. Undefined without a `seq`: such an event is never taken for a repeat. A number wherever one can hold
 * all three.
 */
export interface EventKey {
  (event: GatewayEvent): string | number | undefined;
  /** The Gateway has accepted a connection. It may have been started anew, and then `seq` of its runs starts over. */
  begin(gateway: string): void;
}

export function createEventKey(): EventKey {
  const lives = new Map<string, number>();
  let begun = 0;

  function begin(gateway: string): number {
    const life = begun;
    begun += 1;
    lives.set(gateway, life);
    return life;
  }

  function keyOf({ gateway, event: { state, seq } }: GatewayEvent): string | number | undefined {
    if (seq === undefined) return undefined;
    const life = lives.get(gateway) ?? begin(gateway);
    const word = STATES.indexOf(state);
    if (word < 0 || life >= LIVES || Math.abs(seq) > MAX_SEQ) return `${life} ${state} ${seq}`;
    return (seq * STATE_PLACES + word) * LIVES + life;
  }

  return Object.assign(keyOf, { begin });
}
