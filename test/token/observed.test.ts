import { describe, expect, test } from "vitest";
import { ids, makeToken, NOW_SECONDS } from "../support/make-token.js";
import { readSharedJson } from "../support/shared-data.js";

const WHAT = "the comparison of the local checks with what STS was observed to accept";

interface Observations {
  readonly observations: readonly { scenario: string; result: string; message?: string }[];
}

const observed = readSharedJson("sts-observed.json", WHAT) as Observations | undefined;

const SUBJECT_SCENARIO = 'sub one char / empty string / 300 chars / number 123 (returned as "123")';
const claims = (...all: Record<string, unknown>[]) => all.map((each) => makeToken(each));
const at = (seconds: number) => NOW_SECONDS + seconds;

/** The tokens of a scenario; the finding that must be fatal, or none if STS accepted them. */
const SCENARIOS: Readonly<Record<string, readonly [tokens: string[], fatal?: string]>> = {
  "alg RS256/RS384/RS512/ES256/ES384/ES512": [
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"].map((alg) => makeToken({}, { alg })),
  ],
  "missing iss|sub|aud|iat|exp": [
    ["iss", "sub", "aud", "iat", "exp"].map((claim) => makeToken({ [claim]: undefined })),
    "token-claim-missing!",
  ],
  [SUBJECT_SCENARIO]: [claims({ sub: "x" }, { sub: "" }, { sub: "s".repeat(300) }, { sub: 123 })],
  "sub null": [claims({ sub: null }), "token-claim-invalid!"],
  "aud array with >1 entries and no azp (even if both registered)": [
    claims({ aud: ["client-a", "client-b"] }),
    "token-audience-ambiguous!",
  ],
  "aud single-element array": [claims({ aud: ["client-a"] })],
  "aud not registered but azp registered": [claims({ aud: "other", azp: "client-a" })],
  "exp 24 s ago": [claims({ iat: at(-900), exp: at(-24) })],
  "exp 324 s ago": [claims({ iat: at(-900), exp: at(-324) }), "token-expired!"],
  "iat +~280 s in the future": [claims({ iat: at(280) })],
  "iat 1 h in the future": [claims({ iat: at(3_600), exp: at(9_000) }), "token-not-yet-valid!"],
  "nbf 1 h in the future": [claims({ nbf: at(3_600), exp: at(9_000) }), "token-not-yet-valid!"],
  "nbf/iat/exp as integer STRING": [
    claims({ nbf: `${at(-5)}`, iat: `${at(-5)}`, exp: `${at(900)}` }),
  ],
  "session tags nested arrays / flattened string tags / source_identity claim": [
    claims({
      "https://aws.amazon.com/tags": { principal_tags: { a: ["b"] }, transitive_tag_keys: ["a"] },
      "https://aws.amazon.com/tags/principal_tags/a": "b",
      "https://aws.amazon.com/source_identity": "someone",
    }),
  ],
  "token with 60 s left, DurationSeconds 7200 (role max 7200)": [claims({ exp: at(60) })],
  "JWT kid not in JWKS": [[makeToken({}, { kid: "unknown" })]],
  "JWT without kid or empty kid, JWKS has several keys": [
    [makeToken({}, { kid: undefined }), makeToken({}, { kid: "" })],
  ],
  "JWT without kid, JWKS has exactly one key (with kid)": [[makeToken({}, { kid: undefined })]],
  "aud empty string / wrong audience (duplicate aud member, last wins)": [
    claims({ aud: "" }),
    "token-claim-invalid!",
  ],
  // The token does not show which client IDs the IAM provider has.
  "aud registered but azp NOT registered": [claims({ aud: "client-a", azp: "client-c" })],
};

/** These concern the role, the key set or the request, and not the token. */
const NOT_IN_THE_TOKEN = [
  "provider+role just created, +0 s and +3.7 s",
  "ProviderId=www.amazon.com with an OIDC JWT",
  "JWK without kid",
  "JWK use=enc",
  "JWK whose x5c contradicts n",
  "101 RSA keys (+1 EC) with RSA token",
  "JWK alg=RS512, token alg RS256",
  'JWK key_ops ["sign"] or even ["verify"]',
  "duplicate kid: identical / wrong first",
  "JWKS object replaced between calls ~2 s apart (Cache-Control: no-cache)",
];

describe("compared with what STS was observed to do", () => {
  test.each(Object.entries(SCENARIOS))(
    "the local checks of %j are as strict, and not stricter",
    (_, [tokens, fatal]) => {
      for (const token of tokens) {
        const found = ids(token).filter((id) => id.endsWith("!"));
        expect(found).toEqual(fatal === undefined ? [] : [fatal]);
      }
    },
  );
});

describe.runIf(observed !== undefined)("the observations", () => {
  const { observations = [] } = observed ?? {};

  test("are all in the table", () => {
    const known = [...Object.keys(SCENARIOS), ...NOT_IN_THE_TOKEN];
    expect(observations.map(({ scenario }) => scenario).sort()).toEqual(known.sort());
  });

  test("that STS accepted are never refused here", () => {
    for (const { scenario, result } of observations) {
      if (result.startsWith("ok")) expect(SCENARIOS[scenario]?.[1], scenario).toBeUndefined();
    }
  });

  test("that STS refused with certainty for a claim are refused here", () => {
    const certain =
      /required claim|third-party token|more than one audience|Token (expired|issued|not yet)/;
    for (const { scenario, message = "" } of observations) {
      if (certain.test(message)) expect(SCENARIOS[scenario]?.[1], scenario).toBeDefined();
    }
  });
});
