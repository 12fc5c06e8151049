import { describe, expect, test } from "vitest";
import { readVariable } from "../../src/runtime/environment.js";
import { isLoopbackUrl } from "../../src/runtime/loopback.js";

describe("an environment variable", () => {
  test.each([
    ["eu-west-1", "eu-west-1"],
    ["  eu-west-1\r\n", "eu-west-1"],
    ["", undefined],
    ["  \n", undefined],
    [undefined, undefined],
  ])("%j reads as %j", (value, read) => {
    expect(readVariable({ NAME: value }, "NAME")).toBe(read);
  });

  test("that is not there reads as undefined", () => {
    expect(readVariable({}, "NAME")).toBeUndefined();
  });
});

describe("a URL is on this machine", () => {
  test.each([
    "http://localhost:8080",
    "https://LOCALHOST/path",
    "http://idp.localhost",
    "http://127.0.0.1:1",
    "http://127.8.9.10",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::1]:443",
  ])("when it is %s", (url) => {
    expect(isLoopbackUrl(new URL(url))).toBe(true);
  });

  test.each([
    "http://localhost.example.com",
    "http://notlocalhost",
    "http://127.0.0.1.example.com",
    "http://128.0.0.1",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://example.com/127.0.0.1",
    "http://localhost@example.com",
    "http://[::2]",
  ])("and not when it is %s", (url) => {
    expect(isLoopbackUrl(new URL(url))).toBe(false);
  });
});
