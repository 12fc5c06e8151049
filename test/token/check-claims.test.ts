import { describe, expect, test } from "vitest";
import { checkToken } from "../../src/token/check.js";
import { CLAIMS, check, fromJson, ids, makeToken, NOW } from "../support/make-token.js";

describe("a required claim", () => {
  test.each(["iss", "sub", "aud", "iat", "exp"])("%s is named when it is missing", (claim) => {
    const { findings } = check(makeToken({ [claim]: undefined }));
    expect(findings.map(({ id, severity, evidence }) => [id, severity, evidence])).toEqual([
      ["token-claim-missing", "fatal", { claim }],
    ]);
  });

  test("is reported as missing for every one that is absent", () => {
    expect(ids(fromJson("{}"))).toEqual(Array(5).fill("token-claim-missing!"));
  });

  test("is not read from the prototype of an object", () => {
    expect(ids(fromJson(`{"__proto__":${JSON.stringify(CLAIMS)}}`))).toEqual(
      Array(5).fill("token-claim-missing!"),
    );
  });
});

describe("sub", () => {
  test.each([["x"], [""], ["s".repeat(300)], [123], [0], ["123"]])("may be %j", (sub) => {
    expect(ids(makeToken({ sub }))).toEqual([]);
  });

  test("must not be null, for which STS returns a 500", () => {
    expect(ids(makeToken({ sub: null }))).toEqual(["token-claim-invalid!"]);
  });

  test("of a type that was never observed is left to STS", () => {
    expect(ids(makeToken({ sub: { id: 1 } }))).toEqual([]);
    expect(check(makeToken({ sub: { id: 1 } })).facts?.subjectHash).toBeUndefined();
  });

  test("is reported as a hash, which is the same for a number and its text", () => {
    const hash = (sub: unknown) => check(makeToken({ sub })).facts?.subjectHash;
    expect(hash("abc")).toBe("ba7816bf8f01cfea");
    expect(hash(123)).toBe(hash("123"));
    expect(hash("abd")).not.toBe(hash("abc"));
  });
});

describe("iss", () => {
  test.each([
    "https://issuer.example.com",
    "https://issuer.example.com/",
    "https://Issuer.Example.com/Path",
    "https://issuer.example.com:8443/a/b",
    "https://xn--bcher-kva.example",
    "http://localhost:8080",
    "http://127.0.0.1:1234/idp",
    "http://[::1]:1234",
    "accounts.google.com",
  ])("may be %s", (iss) => {
    expect(ids(makeToken({ iss }))).toEqual([]);
  });

  test.each([
    ["http elsewhere", "http://issuer.example.com"],
    ["http on a private address", "http://10.0.0.1"],
    ["http on a name that begins like this machine", "http://localhost.example.com"],
    ["no scheme", "issuer.example.com"],
    ["another scheme", "ftp://issuer.example.com"],
    ["a word", "kubernetes/serviceaccount"],
    ["no text", ""],
    ["null", null],
    ["a number", 5],
    ["a list", ["https://issuer.example.com"]],
    ["an object", {}],
  ])("must not be %s", (_, iss) => {
    expect(ids(makeToken({ iss }))).toEqual(["token-claim-invalid!"]);
  });
});

describe("aud", () => {
  test.each([
    ["the usual one", { aud: "sts.amazonaws.com" }, []],
    ["a list of the usual one", { aud: ["sts.amazonaws.com"] }, []],
    ["another one", { aud: "https://other" }, ["token-audience-unexpected"]],
    ["a list of another one", { aud: ["https://other"] }, ["token-audience-unexpected"]],
    ["another case", { aud: "STS.amazonaws.com" }, ["token-audience-unexpected"]],
    ["several", { aud: ["sts.amazonaws.com", "b"] }, ["token-audience-ambiguous!"]],
    ["several that are equal", { aud: ["a", "a"] }, ["token-audience-ambiguous!"]],
    [
      "several with an azp, which decides",
      { aud: ["sts.amazonaws.com", "b"], azp: "b" },
      ["token-audience-unexpected"],
    ],
    [
      "several others with another azp",
      { aud: ["a", "b"], azp: "b" },
      ["token-audience-unexpected"],
    ],
    ["another one with the usual azp", { aud: "b", azp: "sts.amazonaws.com" }, []],
    ["no text", { aud: "" }, ["token-claim-invalid!"]],
    ["a list of no text", { aud: [""] }, ["token-claim-invalid!"]],
    ["no text, with an azp that decides", { aud: "", azp: "a" }, ["token-claim-invalid"]],
    ["an empty list, which was not observed", { aud: [] }, ["token-claim-invalid"]],
    ["null, which was not observed", { aud: null }, ["token-claim-invalid"]],
    ["a number, which was not observed", { aud: 5 }, ["token-claim-invalid"]],
    [
      "a list with a number in it",
      { aud: ["a", 5], azp: "a" },
      ["token-claim-invalid", "token-audience-unexpected"],
    ],
    ["an object, which was not observed", { aud: {} }, ["token-claim-invalid"]],
    ["a list in a list, which was not observed", { aud: [["a"]] }, ["token-claim-invalid"]],
  ])("of %s", (_, claims, found) => {
    expect(ids(makeToken(claims))).toEqual(found);
  });

  test("is expected if it is among the configured ones", () => {
    const found = (audiences: string[]) =>
      checkToken(makeToken({ aud: "mine" }), { now: NOW, audiences }).findings.map(({ id }) => id);
    expect(found(["other", "mine"])).toEqual([]);
    expect(found(["other"])).toEqual(["token-audience-unexpected"]);
    expect(checkToken(makeToken(), { now: NOW, audiences: ["mine"] }).findings).toEqual([]);
  });

  test("of many long entries is shortened", () => {
    const aud = Array.from({ length: 50 }, (_, n) => `audience-${n}-${"x".repeat(250)}`);
    expect(JSON.stringify(check(makeToken({ aud })))).not.toMatch(/audience-10|x{200}/);
  });

  test("that appears twice counts as its last value", () => {
    const twice = (first: string, last: string) =>
      fromJson(JSON.stringify(CLAIMS).replace(/"aud":"[^"]*"/, `"aud":"${first}","aud":"${last}"`));
    expect(ids(twice("sts.amazonaws.com", ""))).toEqual(["token-claim-invalid!"]);
    expect(ids(twice("", "sts.amazonaws.com"))).toEqual([]);
  });
});
