import { describe, expect, test } from "vitest";
import { checkToken } from "../../src/token/check.js";
import { check, ids, makeToken, NOW, NOW_SECONDS } from "./make-token.js";

const at = (seconds: number) => NOW_SECONDS + seconds;

describe("exp", () => {
  test.each([
    [-301, ["token-expired!"]],
    // "must be before": at 300 s STS refuses it.
    [-300, ["token-expired!"]],
    [-299, ["token-expires-soon"]],
    [-24, ["token-expires-soon"]],
    [0, ["token-expires-soon"]],
    [59, ["token-expires-soon"]],
    [60, []],
  ])("%d s from now gives %j", (seconds, found) => {
    expect(ids(makeToken({ iat: at(-4_000), exp: at(seconds) }))).toEqual(found);
  });

  test("is compared with milliseconds, not with whole seconds", () => {
    const token = makeToken({ iat: at(-4_000), exp: at(-300) });
    const found = (now: number) => checkToken(token, { now }).findings.map(({ id }) => id);
    expect(found(NOW - 1)).toEqual(["token-expires-soon"]);
    expect(found(NOW)).toEqual(["token-expired"]);
  });

  test("an expired token's finding says since when", () => {
    const [finding] = check(makeToken({ iat: at(-4_000), exp: at(-324) })).findings;
    expect(finding?.evidence).toEqual({ exp: at(-324), secondsAgo: 324 });
  });

  test.each([
    [-24, "The token expired 24 s ago; STS tolerates 300 s."],
    [24, "The token expires in 24 s, which may be before the last retry."],
  ])("%d s from now is told without a minus sign", (seconds, detail) => {
    const [finding] = check(makeToken({ iat: at(-4_000), exp: at(seconds) })).findings;
    expect(finding?.detail).toBe(detail);
  });

  test("an advice comes early when the token must last longer", () => {
    const found = (neededSeconds: number) =>
      checkToken(makeToken({ exp: at(100) }), { now: NOW, neededSeconds }).findings.map(
        ({ id }) => id,
      );
    expect(found(101)).toEqual(["token-expires-soon"]);
    expect(found(100)).toEqual([]);
    expect(found(0)).toEqual([]);
  });
});

describe.each(["iat", "nbf"])("%s", (claim) => {
  test.each([
    [3_600, ["token-not-yet-valid!"], 3_300_000],
    [301, ["token-not-yet-valid!"], 1_000],
    [300, [], undefined],
    [299, [], undefined],
    [0, [], undefined],
    [-3_600, [], undefined],
  ])("%d s from now gives %j", (seconds, found, validInMs) => {
    const token = makeToken({ [claim]: at(seconds), exp: at(9_000) });
    expect(ids(token)).toEqual(found);
    expect(check(token).validInMs).toBe(validInMs);
  });
});

describe("times", () => {
  test("the later of iat and nbf says when the token becomes valid", () => {
    const token = makeToken({ iat: at(400), nbf: at(310), exp: at(9_000) });
    expect(check(token).validInMs).toBe(100_000);
  });

  test("a token that has expired is not called early as well", () => {
    expect(ids(makeToken({ iat: at(500), exp: at(-500) }))).toEqual(["token-expired!"]);
  });

  test.each(["iat", "nbf", "exp"])("%s may be a string of an integer", (claim) => {
    const value = { iat: at(-5), nbf: at(-5), exp: at(500) }[claim];
    expect(ids(makeToken({ [claim]: String(value) }))).toEqual([]);
  });

  test("a string of an integer is compared as the number is", () => {
    expect(ids(makeToken({ iat: at(-4_000), exp: String(at(-301)) }))).toEqual(["token-expired!"]);
    expect(ids(makeToken({ nbf: String(at(301)) }))).toEqual(["token-not-yet-valid!"]);
  });

  test.each(["iat", "nbf", "exp"])("%s of anything else is invalid", (claim) => {
    const values: unknown[] = [
      ...[NOW_SECONDS + 0.5, `${NOW_SECONDS}.5`, "1e9", "", " ", "soon", `${NOW_SECONDS} `],
      ...["2030-01-01T00:00:00Z", "0x10", "+5", true, [], {}, [NOW_SECONDS], null, 1e300],
    ];
    for (const value of values) {
      expect(ids(makeToken({ [claim]: value })), JSON.stringify(value)).toEqual([
        "token-claim-invalid!",
      ]);
    }
  });

  test("an exp that stands for never is no fault", () => {
    for (const exp of [9_999_999_999, 253_402_300_799_000, "9223372036854775807"]) {
      expect(ids(makeToken({ exp }))).toEqual([]);
    }
  });

  test("nbf may be absent, iat and exp may not", () => {
    expect(ids(makeToken({ nbf: undefined }))).toEqual([]);
    expect(ids(makeToken({ iat: undefined }))).toEqual(["token-claim-missing!"]);
    expect(ids(makeToken({ exp: undefined }))).toEqual(["token-claim-missing!"]);
  });
});
