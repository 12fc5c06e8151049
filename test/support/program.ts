import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
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
 * Stands for the tests that need a program that is not here, and says so. Where the programs were
 * installed, `.ci/run` being the place, it fails.
 */
export function leaveOut(what: string, name: string): void {
  it(`${what}: left out, there is no \`${name}\` on the PATH`, () => {
    expect(process.env.TEST_PROGRAMS).not.toBe("required");
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
