import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { findProgram } from "../../bench/support/find-program.js";

export { findProgram };

/** A Python that has boto3: the one on the PATH, or else the system's own. */
export function findPythonWithBoto3(): string | undefined {
  return [findProgram("python3"), "/usr/bin/python3"].find(
    (program) => program !== undefined && canRun(program, ["-c", "import boto3"]),
  );
}

/** A Ruby that has the AWS SDK. */
export function findRubyWithAwsSdk(): string | undefined {
  const ruby = findProgram("ruby");
  return ruby !== undefined && canRun(ruby, ["-raws-sdk-core", "-e", ""]) ? ruby : undefined;
}

/**
 * Takes the place of the tests that need a program that is missing: one test that is skipped, and that the
 * summary names. It fails where the programs must be there, which is in `.ci/run`.
 */
export function leaveOut(what: string, name: string): void {
  test(what, ({ skip }) => {
    expect(process.env.TEST_PROGRAMS, `there is no \`${name}\` on the PATH`).not.toBe("required");
    skip(`left out, because there is no \`${name}\` on the PATH`);
  });
}

function canRun(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
