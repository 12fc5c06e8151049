import { existsSync, statSync } from "node:fs";
import { Stryker } from "@stryker-mutator/core";

/**
 * `npm run mutation -- src/retry`, or `npm run mutation -- src/retry/verdict.ts`: changes the sources in
 * small ways, one at a time, and runs the unit tests of that folder, or of that file, alone. A mutant that
 * survives shows a rule that no test checks. Further arguments name the test files to run instead.
 */
const [target = "", ...named] = process.argv.slice(2).map((path) => path.replace(/\/$/, ""));
const [, folder] = /^src\/([\w-]+)(?:\/|$)/.exec(target) ?? [];
if (folder === undefined || !existsSync(target) || !existsSync(`test/${folder}`)) {
  console.error("Usage: npm run mutation -- src/FOLDER[/FILE.ts] [TEST.test.ts …]");
  process.exit(2);
}

const own = target.replace(/^src\/(.+)\.ts$/, "test/$1.test.ts");
const ofTarget = own !== target && existsSync(own) ? own : `test/${folder}/**/*.test.ts`;
process.env.MUTATION_TESTS = (named.length > 0 ? named : [ofTarget]).join(",");
const results = await new Stryker({
  mutate: [statSync(target).isDirectory() ? `${target}/**/*.ts` : target],
  testRunner: "vitest",
  coverageAnalysis: "perTest",
  // Code that runs once, when a module is loaded, can't be changed between tests.
  ignoreStatic: true,
  // The tests are named above: no search for those that import a mutated file.
  vitest: { related: false },
  timeoutMS: 2_000,
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
