import { Lanes, type LanesOptions } from "../../src/delivery/lanes.ts";
import { retryDefaults } from "../../src/options.ts";
import { createTestClock } from "../../src/testing/clock.ts";

/** Lanes with default options. `told` has a line for each thing that they report. */
export function openLanes(options: Partial<LanesOptions> = {}) {
  const told: string[] = [];
  const clock = createTestClock();
  const lanes = new Lanes({
    ...retryDefaults,
    deliver: () => {},
    clock,
    timeoutMs: 30_000,
    concurrency: 16,
    ordering: "session",
    random: () => 0.5,
    report: {
      attempting: (attempts) => void told.push(`attempting ${attempts}`),
      waiting: (messages) => void told.push(`waiting ${messages}`),
      attempted: ({ id }, attempt) => void told.push(`${id} attempt ${attempt}`),
    },
    onRetry: ({ id }, attempts, { text }, delayMs) => void told.push(`${id} retry ${attempts} in ${delayMs}: ${text}`),
    onEnd: ({ message: { id } }, end) =>
      void told.push(`${id} ${end.status} ${end.attempts}${end.status === "dead" ? `: ${end.failure.text}` : ""}`),
    isOurs: () => true,
    onLeaseLost: ({ message: { id } }) => void told.push(`${id} lost`),
    ...options,
  });
  return { lanes, told, clock };
}
