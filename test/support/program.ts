import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, it } from "vitest";

/** A program of the system on the PATH. */
export function findProgram(name: string, path = process.env.PATH ?? ""): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

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

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
