import type { GatewayEvent } from "../types.ts";

const STATES = ["status", "delta", "final", "error", "aborted"];
const STATE_PLACES = 8;
const GATEWAY_PLACES = 8;
// Beyond it a product with both places is no longer exact.
const MAX_SEQ = 2 ** 45;

/**
 * Makes the function that says what makes two events of one run id the same: their Gateway, `state`
 * and `seq`, since a delta and the final may share one `seq`. Undefined without a `seq`: such an
 * event is never taken for a repeat. A number wherever one can hold all three.
 */
export function createEventKey(): (routed: GatewayEvent) => string | number | undefined {
  const gateways: string[] = [];

  function placeOf(gateway: string): number {
    const place = gateways.indexOf(gateway);
    if (place >= 0 || gateways.length === GATEWAY_PLACES) return place;
    return gateways.push(gateway) - 1;
  }

  return ({ gateway, event: { state, seq } }) => {
    if (seq === undefined) return undefined;
    const place = placeOf(gateway);
    const word = STATES.indexOf(state);
    if (place < 0 || word < 0 || Math.abs(seq) > MAX_SEQ) return `${gateway}\u0000${state}\u0000${seq}`;
    return (seq * STATE_PLACES + word) * GATEWAY_PLACES + place;
  };
}
