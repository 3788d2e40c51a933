import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEventKey } from "../../src/pipeline/event-key.ts";

const routed = fc.record({
  gateway: fc.constantFrom(...Array.from({ length: 10 }, (_, i) => `gateway-${i}`)),
  event: fc.record({
    runId: fc.constant("r"),
    state: fc.constantFrom("status", "delta", "final", "error", "aborted", "a new word"),
    seq: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2 ** 45, 2 ** 45 + 1, 2 ** 53, -(2 ** 53), 1e300)),
  }),
});

describe("the key of an event", () => {
  it("is equal exactly when Gateway, state and seq are equal", () => {
    fc.assert(
      fc.property(fc.array(routed, { minLength: 2, maxLength: 30 }), (list) => {
        const key = createEventKey();
        const keys = new Set(list.map(key));
        const naive = new Set(list.map(({ gateway, event: { state, seq } }) => `${gateway} ${state} ${seq}`));
        expect(keys.size).toBe(naive.size);
      }),
    );
  });

  it("is undefined without a seq", () => {
    expect(createEventKey()({ gateway: "g", event: { runId: "r", state: "delta" } })).toBeUndefined();
  });

  it("changes with each hello of the Gateway", () => {
    const key = createEventKey();
    const event = { gateway: "g", event: { runId: "r", state: "delta", seq: 1 } };
    const keys = new Set<unknown>();
    for (let connection = 0; connection < 5_000; connection += 1) {
      keys.add(key(event));
      key.begin("g");
    }
    expect(keys.size).toBe(5_000);
  });
});
