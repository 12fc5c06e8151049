import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { QuietReporter } from "./test/support/quiet-reporter.js";

const report = process.env.TEST_REPORT;
const json = (outputFile: string): ["json", { outputFile: string }] => ["json", { outputFile }];

export default defineConfig({
  test: {
    // The mutation runner asks for the unit tests of one folder alone.
    include: [process.env.MUTATION_TESTS ?? "test/**/*.test.ts"],
    // It bundles the sources as they are, without the runner's mutants.
    globalSetup:
      process.env.MUTATION_TESTS === undefined ? ["test/support/bundle-programs.ts"] : [],
    // Most tests wait for sockets and child processes: one more than there are cores keeps them busy.
    maxWorkers: availableParallelism() + 1,
    // The SDK's advice about Node's version, once for each worker.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // CI counts the tests of all its runs from these reports.
    reporters: [new QuietReporter(), ...(report === undefined ? [] : [json(report)])],
    // What a test that passes writes to the console says nothing.
    silent: "passed-only",
  },
});
