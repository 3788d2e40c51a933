import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A busy machine takes long, and only a failing test waits so long.
    testTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // As many as there are cores; Vitest's default of one less leaves half of two idle.
    maxWorkers: "100%",
  },
});
