import { existsSync, statSync } from "node:fs";
import { Stryker } from "@stryker-mutator/core";

/**
 * `npm run mutation -- src/retry` (or one file of a folder): changes the sources in small ways, one at a
 * time, and runs the unit tests of that folder alone. A mutant that survives is a rule that no test holds.
 */
const [target = ""] = process.argv.slice(2).map((path) => path.replace(/\/$/, ""));
const [, room] = /^src\/([\w-]+)(?:\/|$)/.exec(target) ?? [];
if (room === undefined || !existsSync(target) || !existsSync(`test/${room}`)) {
  console.error("Usage: npm run mutation -- src/FOLDER, or src/FOLDER/FILE.ts");
  process.exit(2);
}

process.env.MUTATION_TESTS = `test/${room}/**/*.test.ts`;
const results = await new Stryker({
  mutate: [statSync(target).isDirectory() ? `${target}/**/*.ts` : target],
  testRunner: "vitest",
  coverageAnalysis: "perTest",
  // What runs once, when a module is loaded, cannot be switched from test to test.
  ignoreStatic: true,
  concurrency: Number(process.env.MUTATION_CONCURRENCY ?? 2),
  reporters: ["clear-text", "progress", "html"],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: "reports/mutation.html" },
  tempDirName: ".stryker-tmp",
  checkers: [],
  disableTypeChecks: false,
  allowConsoleColors: false,
  ignorePatterns: ["dist", "reports"],
}).runMutationTest();
const counted = results.filter(({ status }) => status !== "Ignored");
const killed = counted.filter(({ status }) => status === "Killed" || status === "Timeout").length;
console.log(`${target}: ${killed} of ${counted.length} mutants killed`);
