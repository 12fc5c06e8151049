import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { QuietReporter } from "./test/support/quiet-reporter.js";

const report = process.env.TEST_REPORT;
const json = (outputFile: string): ["json", { outputFile: string }] => ["json", { outputFile }];

/** Many real processes against limits of real time: nothing else runs beside them. */
const CROWDS = ["test/stores/processes.test.ts", "test/cli/three-sessions.test.ts"];

/** The mutation runner asks for the unit tests of one folder alone. */
const mutated = process.env.MUTATION_TESTS;

export default defineConfig({
  test: {
    // It bundles the sources as they are, without the runner's mutants.
    globalSetup: mutated === undefined ? ["test/support/bundle-programs.ts"] : [],
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
    ...(mutated === undefined
      ? {
          projects: [
            {
              extends: true,
              test: {
                name: "side by side",
                include: ["test/**/*.test.ts"],
                exclude: [...CROWDS, ...configDefaults.exclude],
                sequence: { groupOrder: 0 },
              },
            },
            {
              extends: true,
              test: { name: "alone", include: CROWDS, maxWorkers: 1, sequence: { groupOrder: 1 } },
            },
          ],
        }
      : { include: [mutated] }),
  },
});
