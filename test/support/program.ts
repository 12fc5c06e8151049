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

/**
 * Stands for the tests that need a program that is not here, and says so. Where the programs were
 * installed, `.ci/run` being the place, it fails.
 */
export function leaveOut(what: string, name: string): void {
  it(`${what}: left out, there is no \`${name}\` on the PATH`, () => {
    expect(process.env.TEST_PROGRAMS).not.toBe("required");
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
