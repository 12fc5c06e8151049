import { describe, expect, test } from "vitest";
import { readVariable } from "../../src/runtime/environment.js";

describe("an environment variable", () => {
  test.each([
    ["eu-west-1", "eu-west-1"],
    ["  eu-west-1\r\n", "eu-west-1"],
    ["", undefined],
    ["  \n", undefined],
    [undefined, undefined],
  ])("with the value %j is read as %j", (value, read) => {
    expect(readVariable({ NAME: value }, "NAME")).toBe(read);
  });

  test("that does not exist is read as undefined", () => {
    expect(readVariable({}, "NAME")).toBeUndefined();
  });
});
