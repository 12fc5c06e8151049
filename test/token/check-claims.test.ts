import { describe, expect, test } from "vitest";
import { checkToken } from "../../src/token/check.js";
import {
  CLAIMS,
  check,
  fromJson,
  ids,
  makeToken,
  NOW,
  NOW_SECONDS,
} from "../support/make-token.js";

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

  test("is reported as a hash, which is the same for a number and for its digits as text", () => {
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
    ["an empty string", ""],
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
    ["another one with the usual azp", { aud: "b", azp: "sts.amazonaws.com" }, []],
    ["an empty string", { aud: "" }, ["token-claim-invalid!"]],
    ["a list of an empty string", { aud: [""] }, ["token-claim-invalid!"]],
    ["an empty string with an azp, which decides", { aud: "", azp: "a" }, ["token-claim-invalid"]],
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
  ])("that is %s (%j) leads to the findings %j", (_, claims, found) => {
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

describe("azp", () => {
  test("must not be empty, because no client ID of an IAM OIDC provider is", () => {
    expect(ids(makeToken({ azp: "" }))).toEqual(["token-claim-invalid!"]);
  });

  test("that is not a string leaves the decision to aud", () => {
    expect(ids(makeToken({ aud: ["b", "sts.amazonaws.com"], azp: 5 }))).toEqual([]);
    expect(ids(makeToken({ aud: "b", azp: 5 }))).toEqual(["token-audience-unexpected"]);
  });
});

describe("the finding about a claim", () => {
  test("that is missing lists the claims that STS requires", () => {
    const [finding] = check(makeToken({ sub: undefined })).findings;
    expect(finding?.detail).toBe("The token has no `sub`; STS requires iss, sub, aud, iat, exp.");
  });

  test.each<[Record<string, unknown>, string, string]>([
    [{ sub: null }, "sub", "is null"],
    [{ azp: "" }, "azp", "is empty"],
    [{ iat: 1.5 }, "iat", "is not a whole number of seconds"],
    [{ exp: "1e9" }, "exp", "is not a whole number of seconds"],
    [{ aud: [] }, "aud", "is an empty list"],
    [{ aud: 5 }, "aud", "is not a string"],
    [{ aud: "" }, "aud", "is empty"],
    [{ aud: "", azp: "sts.amazonaws.com" }, "aud", "is empty"],
    [{ iss: 5 }, "iss", "is not a string"],
    [{ iss: "http://a.example.com" }, "iss", 'is not an https URL ("http://a.example.com")'],
  ])("of %j says that the token's %s %s", (claims, claim, problem) => {
    expect(check(makeToken(claims)).findings).toMatchObject([
      { detail: `The token's \`${claim}\` ${problem}.`, evidence: { claim, problem } },
    ]);
  });

  test.each<[Record<string, unknown>, string, object]>([
    [
      { aud: ["a", "b"] },
      'The token\'s `aud` is ["a","b"] and it has no `azp`.',
      { severity: "fatal", evidence: { audiences: ["a", "b"] } },
    ],
    [
      { aud: "a" },
      "The token is for a; the expected audience is sts.amazonaws.com or mine.",
      {
        title: "The token's audience is not the usual one.",
        evidence: { audiences: ["a"], expected: ["sts.amazonaws.com", "mine"] },
      },
    ],
    [
      { aud: ["a", "b"], azp: "c" },
      "The token has azp c and aud a, b; STS compares azp, and the expected one is sts.amazonaws.com or mine.",
      {
        ...{
          severity: "advice",
          title: "STS compares the token's azp, and it is not the usual one.",
        },
        remedy: expect.stringMatching(/^AWS account: .* azp c among its client IDs, .* as aud\.$/),
        evidence: { azp: "c", audiences: ["a", "b"], expected: ["sts.amazonaws.com", "mine"] },
      },
    ],
    [
      { aud: "https://kubernetes.default.svc" },
      "The token is for https://kubernetes.default.svc; the expected audience is sts.amazonaws.com or mine.",
      {
        title: "The token is the pod's own token for the Kubernetes API.",
        remedy: expect.stringMatching(/^Workload: mount the projected service account token/),
      },
    ],
  ])("of %j says %j", (claims, detail, rest) => {
    const context = { now: NOW, audiences: ["mine"] };
    expect(checkToken(makeToken(claims), context).findings).toMatchObject([{ detail, ...rest }]);
  });

  test("of the audience names only the usual one unless others are expected", () => {
    const [finding] = check(makeToken({ aud: "a" })).findings;
    expect(finding?.evidence.expected).toEqual(["sts.amazonaws.com"]);
  });
});

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
  ])("%d s from now leads to the findings %j", (seconds, found) => {
    expect(ids(makeToken({ iat: at(-4_000), exp: at(seconds) }))).toEqual(found);
  });

  test("is compared with milliseconds, not with whole seconds", () => {
    const token = makeToken({ iat: at(-4_000), exp: at(-300) });
    const found = (now: number) => checkToken(token, { now }).findings.map(({ id }) => id);
    expect(found(NOW - 1)).toEqual(["token-expires-soon"]);
    expect(found(NOW)).toEqual(["token-expired"]);
  });

  test("in the past is in the finding, with the time since then", () => {
    const [finding] = check(makeToken({ iat: at(-4_000), exp: at(-324) })).findings;
    expect(finding?.evidence).toEqual({ exp: at(-324), secondsAgo: 324 });
  });

  test.each([
    [-24, "The token expired 24 s ago, at 07:59 UTC; STS tolerates 5 min."],
    [24, "The token expires in 24 s, which may be before the last retry."],
  ])("%d s from now is reported without a minus sign", (seconds, detail) => {
    const [finding] = check(makeToken({ iat: at(-4_000), exp: at(seconds) })).findings;
    expect(finding?.detail).toBe(detail);
  });

  test("leads to advice earlier when the token must last longer", () => {
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
  ])("%d s from now leads to the findings %j", (seconds, found, validInMs) => {
    const token = makeToken({ [claim]: at(seconds), exp: at(9_000) });
    expect(ids(token)).toEqual(found);
    expect(check(token).validInMs).toBe(validInMs);
  });
});

describe("times", () => {
  test("the later of iat and nbf decides when the token becomes valid", () => {
    const token = makeToken({ iat: at(400), nbf: at(310), exp: at(9_000) });
    expect(check(token).validInMs).toBe(100_000);
  });

  test.each([
    [{ iat: at(610), exp: at(10) }, "token-claim-invalid"],
    [{ iat: at(500), exp: at(-500) }, "token-expired"],
    [{ iat: at(-9_000), nbf: at(3_600), exp: at(3_000) }, "token-claim-invalid"],
    [{ iat: String(at(7_200)), exp: String(at(3_600)) }, "token-claim-invalid"],
  ])("%j contradict each other by any clock, and lead to %s", (claims, id) => {
    for (const isVerified of [true, false]) {
      const { findings } = checkToken(makeToken(claims), { now: NOW, isVerified });
      expect(findings).toMatchObject([{ id, severity: "fatal" }]);
      expect(findings[0]?.detail).toBe(
        "The token's `exp` is before its `iat` or `nbf`, which is wrong by any clock.",
      );
    }
  });

  test.each([
    [0, 1, ["token-claim-invalid", "token-expires-soon"]],
    [299, 598, ["token-claim-invalid", "token-expires-soon"]],
    [301, 599, ["token-claim-invalid", "token-not-yet-valid!"]],
    [200, 501, ["token-claim-invalid", "token-expired!"]],
  ])(
    "an exp before iat (%i s from now) by %i s is suspected: STS may accept both",
    (iat, by, found) => {
      expect(ids(makeToken({ iat: at(iat), exp: at(iat - by) }))).toEqual(found);
    },
  );

  test("a token that expires when it becomes valid has no contradiction", () => {
    expect(ids(makeToken({ iat: at(0), exp: at(0) }))).toEqual(["token-expires-soon"]);
  });

  test.each(["iat", "nbf", "exp"])("%s may be a string of an integer", (claim) => {
    const value = { iat: at(-5), nbf: at(-5), exp: at(500) }[claim];
    expect(ids(makeToken({ [claim]: String(value) }))).toEqual([]);
  });

  test("a string of an integer is compared as the number is", () => {
    expect(ids(makeToken({ iat: at(-4_000), exp: String(at(-301)) }))).toEqual(["token-expired!"]);
    expect(ids(makeToken({ nbf: String(at(301)) }))).toEqual(["token-not-yet-valid!"]);
  });

  test.each(["iat", "nbf", "exp"])("%s with any other value is invalid", (claim) => {
    const values: unknown[] = [
      ...[NOW_SECONDS + 0.5, `${NOW_SECONDS}.5`, "", " ", "soon"],
      ...["2030-01-01T00:00:00Z", true, [], {}, [NOW_SECONDS], null],
    ];
    for (const value of values) {
      expect(ids(makeToken({ [claim]: value })), JSON.stringify(value)).toEqual([
        "token-claim-invalid!",
      ]);
    }
  });

  test.each(["iat", "nbf", "exp"])(
    "%s beyond 64 bits, or an integer in another spelling, is suspected: STS was not observed with it",
    (claim) => {
      for (const value of ["1e9", `${NOW_SECONDS} `, "0x10", "+5", 1e300, "9".repeat(400)]) {
        expect(ids(makeToken({ [claim]: value })), JSON.stringify(value)).toEqual([
          "token-claim-invalid",
        ]);
      }
    },
  );

  test("an exp so large that it means never is accepted", () => {
    for (const exp of [9_999_999_999, 253_402_300_799_000, "9223372036854775807"]) {
      expect(ids(makeToken({ exp }))).toEqual([]);
    }
  });

  test("nbf may be absent, but iat and exp may not", () => {
    expect(ids(makeToken({ nbf: undefined }))).toEqual([]);
    expect(ids(makeToken({ iat: undefined }))).toEqual(["token-claim-missing!"]);
    expect(ids(makeToken({ exp: undefined }))).toEqual(["token-claim-missing!"]);
  });
});

describe("a clock that no response of STS has confirmed", () => {
  const unverified = (claims: Record<string, unknown>) =>
    checkToken(makeToken(claims), { now: NOW, isVerified: false }).findings;

  test.each([
    ["expired", { iat: at(-9_000), exp: at(-7_207) }, "token-expired"],
    ["early", { iat: at(1_800), exp: at(2_100) }, "token-not-yet-valid"],
    ["early by nbf", { nbf: at(600), exp: at(900) }, "token-not-yet-valid"],
  ])(
    "makes the finding that a token is %s a suspicion, and the finding says so",
    (_, claims, id) => {
      const [finding] = unverified(claims);
      expect(finding).toMatchObject({ id, severity: "suspect" });
      expect(finding?.detail).toMatch(/^By this machine's clock, which no response of STS/);
    },
  );

  test("does not count for a token that STS has refused as expired", () => {
    const token = makeToken({ iat: at(-600), exp: at(900) });
    const context = { now: NOW, isVerified: false, isRefused: true };
    expect(checkToken(token, context).findings).toMatchObject([
      {
        id: "token-expired",
        severity: "fatal",
        detail:
          "STS has refused this token as expired; its exp is 08:15 UTC, and this machine's clock says 08:00 UTC.",
      },
    ]);
  });

  test("is not in doubt once STS has confirmed it, even if STS has refused the token", () => {
    const token = makeToken({ iat: at(-600), exp: at(900) });
    const context = { now: NOW, isVerified: true, isRefused: true };
    expect(checkToken(token, context).findings).toEqual([]);
  });
});
