import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "./sources.js";

const PASSING = `import { test } from "vitest";
for (let n = 0; n < 30; n += 1) test("passes " + n, () => console.log("noise"));`;
const SKIPPING = `import { leaveOut } from "${ROOT}/test/support/program.js";
leaveOut("a page in a browser", "nowhere");
leaveOut("a server", "nowhere");`;
const FAILING = `import { expect, test } from "vitest";
test("fails", () => { console.log("the reason"); expect(1).toBe(2); });`;

/** What a run of these test files prints, with the project's own reporter. */
async function runTests(files: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}) {
  // Where `vitest` can be imported from.
  const path = await mkdtemp(join(ROOT, "node_modules/.quiet-reporter-"));
  await using _folder = { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
  await mkdir(join(path, "tests"));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(path, "tests", `${name}.test.ts`), text);
  }
  const config = `import { QuietReporter } from "${ROOT}/test/support/quiet-reporter.ts";
export default { test: { reporters: [new QuietReporter()], silent: "passed-only", exclude: [] } };`;
  await writeFile(join(path, "vitest.config.ts"), config);
  const args = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--root", path];
  const { TEST_PROGRAMS: _, ...inherited } = process.env;
  return await new Promise<{ code: unknown; output: string }>((resolve) => {
    const options = { cwd: ROOT, env: { ...inherited, ...env, CI: "true" } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const output = stripVTControlCharacters(stdout + stderr);
      resolve({ code: error?.code ?? 0, output });
    });
  });
}

test("a run that passes prints neither files nor logs, and one line for each program that is missing", async () => {
  const { code, output } = await runTests({ passing: PASSING, skipping: SKIPPING });
  expect(code).toBe(0);
  expect(output).not.toContain("noise");
  expect(output).toContain(
    "left out, because there is no `nowhere` on the PATH: a page in a browser; a server",
  );
  expect(output).toMatch(/Tests +30 passed \| 2 skipped/);
  expect(output.trim().split("\n").length).toBeLessThan(12);
});

test("a run that fails prints the failure with its logs, and a missing program is one where it is required", async () => {
  const files = { passing: PASSING, failing: FAILING, skipping: SKIPPING };
  const { code, output } = await runTests(files, { TEST_PROGRAMS: "required" });
  expect(code).toBe(1);
  expect(output).toContain("the reason");
  expect(output).toContain("expected 1 to be 2");
  expect(output).toContain("there is no `nowhere` on the PATH");
  expect(output).toMatch(/Tests +3 failed \| 30 passed/);
});
