import { defineConfig } from "vitest/config";

const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // CI counts the tests of all its runs from these reports.
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
  },
});
