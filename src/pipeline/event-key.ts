import type { GatewayEvent } from "../types.ts";

const STATES = ["status", "delta", "final", "error", "aborted"];
const STATE_PLACES = 8;
/** How many connections get numbers as keys. Later ones get strings, which cost a little more. */
const LIVES = 4_096;
// Beyond this, the product of both places would not be an exact integer.
const MAX_SEQ = 2 ** 38;

/**
 * Computes the key of an event within its run id: Gateway, `state` and `seq`. A delta and the final may share one
 * `seq`, so `state` is part of it. Undefined without a `seq`: such an event is never a repeat. The key is a number
 * wherever one can hold all three.
 */
export interface EventKey {
  (event: GatewayEvent): string | number | undefined;
  /** The Gateway has accepted a connection. It may have been restarted, and then the `seq` of its runs starts over. */
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
