import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    // As many as there are cores; Vitest's default of one less leaves half of two idle.
    maxWorkers: "100%",
  },
});
