import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

describe("100,000 abandoned runs", () => {
  it("leave the heap within 10% of its size once they have expired", () => {
    const program = fileURLToPath(new URL("./heap-program.ts", import.meta.url));
    const output = execFileSync(process.execPath, ["--expose-gc", "--import", "tsx", program], { encoding: "utf8" });
    const { before, during, after, live, expired, bufferedBytes } = JSON.parse(output) as Record<string, number>;
    expect({ live, expired, bufferedBytes }).toEqual({ live: 100_000, expired: 110_000, bufferedBytes: 0 });
    // Otherwise this measured nothing.
    expect(during as number).toBeGreaterThan((before as number) * 3);
    expect(after as number).toBeLessThan((before as number) * 1.1);
    // Collecting so large a heap takes its time on a busy machine.
  }, 180_000);
});

describe("a peer that fills every limit", () => {
  it("takes no more memory than the limits add up to", () => {
    const program = fileURLToPath(new URL("./flood-program.ts", import.meta.url));
    // The sum of the table in docs/operations.md, for the limits that the program sets, is 178 MB; garbage that is not collected yet comes on top.
    const args = ["--max-old-space-size=210", "--import", "tsx", program];
    const output = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const { heard, floods, ...rest } = JSON.parse(output) as Record<string, number>;
    // A good run came through after each of them.
    expect(heard).toBe(floods);
    expect(rest).toMatchObject({ rejected: 650, overLimit: 20_302, liveRuns: 2_000, bufferedBytes: 4_000 });
  }, 300_000);
});
