import { describe, expect, test } from "vitest";
import { startLocalIdp, startLocalSts } from "../../src/testing/index.js";

describe("a fault that the server can't play is a TypeError", () => {
  test.each([
    [undefined, "Expected `fault` to be an object"],
    ["rate-limit", "Expected `fault` to be an object, such as { kind: 'rate-limit' }"],
    [null, "Expected `fault` to be an object, got null"],
    [{}, "Expected `kind` to be one of slow, rate-limit, status"],
    [{ kind: "ratelimit" }, 'got the string "ratelimit"'],
    [{ kind: "toString" }, "Expected `kind` to be one of"],
    [{ kind: "hang", on: "keys" }, "Expected `on` to be one of discovery, jwks"],
    [{ kind: "status" }, "Expected `httpStatus` to be given"],
    [{ kind: "status", httpStatus: 99 }, "Expected `httpStatus` to be a whole number from 200"],
    [{ kind: "html", httpStatus: "503" }, "Expected `httpStatus` to be a whole number from 200"],
    [{ kind: "slow" }, "Expected `delayMs` to be given"],
    [{ kind: "slow", delayMs: -1 }, "Expected `delayMs` to be a number from 0"],
    [{ kind: "redirect" }, "Expected `location` to be given"],
    [{ kind: "trickle", intervalMs: "50" }, "Expected `intervalMs` to be a number from 0"],
    [{ kind: "rate-limit", retryAfterSeconds: "2" }, "Expected `retryAfterSeconds` to be a number"],
    [{ kind: "hang", times: 0 }, "Expected `times` to be a positive integer, got 0"],
    [{ kind: "hang", times: "2" }, 'Expected `times` to be a positive integer, got the string "2"'],
    [{ kind: "hang", probability: "0.3" }, "Expected `probability` to be a number from 0 to 1"],
    [{ kind: "hang", probability: 2 }, "Expected `probability` to be a number from 0 to 1, got 2"],
  ])("the IdP refuses %j", async (fault, words) => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    for (const set of [idp.setFault, idp.failNext]) {
      expect(() => set(fault as never)).toThrow(TypeError);
      expect(() => set(fault as never)).toThrow(words);
    }
    expect((await fetch(idp.jwksUrl)).status).toBe(200);
  });

  test.each([
    [undefined, {}, "Expected `fault` to be one of idp-unreachable, throttled"],
    ["throttle", {}, 'got the string "throttle"'],
    ["toString", {}, "Expected `fault` to be one of"],
    [{ message: "no", httpStatus: 400 }, {}, "Expected `code` to be given"],
    [{ code: "Strange", httpStatus: 400 }, {}, "Expected `message` to be a string"],
    [{ code: "Strange", message: "no" }, {}, "Expected `httpStatus` to be a whole number"],
    ["hang", null, "Expected `options` to be an object"],
    ["hang", { when: "always" }, "Expected `when` to be a function"],
    ["slow", { delayMs: "1 s" }, "Expected `delayMs` to be a number"],
    ["throttled", { retryAfterSeconds: -1 }, "Expected `retryAfterSeconds` to be a number"],
    ["html", { httpStatus: 1000 }, "Expected `httpStatus` to be a whole number"],
    ["hang", { times: 1.5 }, "Expected `times` to be a positive integer"],
  ])("STS refuses %j with the options %j", async (fault, options, words) => {
    await using sts = await startLocalSts();
    expect(() => sts.setFault(fault as never, options as never)).toThrow(TypeError);
    expect(() => sts.setFault(fault as never, options as never)).toThrow(words);
  });
});

describe("an invalid option of the local STS is a TypeError", () => {
  test.each<[string, unknown]>([
    ["port", "./socket"],
    ["port", "4012"],
    ["port", 65_536],
    ["port", -1],
    ["providers", { issuer: "https://issuer.example.com" }],
    ["roles", "arn:aws:iam::123456789012:role/service"],
  ])("%s can't be %j", async (name, value) => {
    const starting = startLocalSts({ [name]: value } as never);
    await expect(starting).rejects.toThrow(TypeError);
    await expect(starting).rejects.toThrow(`Expected \`${name}\` to be `);
  });
});
