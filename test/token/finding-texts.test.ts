import { describe, expect, test } from "vitest";
import { checkToken } from "../../src/token/check.js";
import type { CheckContext } from "../../src/token/check-claims.js";
import { check, fromJson, makeToken, NOW, NOW_SECONDS } from "../support/make-token.js";

/** All that a person or a program reads of each finding. */
function texts(token: string, context: Partial<CheckContext> = {}): string[] {
  return checkToken(token, { now: NOW, ...context }).findings.map(
    ({ id, severity, title, detail, remedy, evidence }) =>
      [`${severity} ${id}`, title, detail, remedy, JSON.stringify(evidence)].join("\n"),
  );
}

const at = (seconds: number) => NOW_SECONDS + seconds;

test("the findings about a token's times say what is certain, and by whose clock", () => {
  const machine = { isVerified: false };
  expect([
    ...texts(makeToken({ exp: at(-400) })),
    ...texts(makeToken({ exp: at(-400) }), machine),
    ...texts(makeToken({ exp: at(60) }), { ...machine, isRefused: true }),
    ...texts(makeToken({ iat: at(400) })),
    ...texts(makeToken({ nbf: at(400) }), machine),
    ...texts(makeToken({ exp: at(20) })),
    ...texts(makeToken({ exp: at(0) })),
    ...texts(makeToken({ exp: at(-20), iat: at(-30) })),
    ...texts(makeToken({ exp: at(300), iat: at(310) })),
    ...texts(makeToken({ exp: at(-700), iat: at(0) })),
    ...texts(makeToken({ exp: at(100), iat: at(701) })),
  ]).toMatchInlineSnapshot(`
    [
      "suspect token-claim-invalid
    A claim of the token has a value that STS refuses.
    The token's \`exp\` is before its \`iat\` or \`nbf\`, by less than STS tolerates.
    IdP: issue this client's tokens with a valid \`exp\`.
    {"claim":"exp","problem":"is before its \`iat\` or \`nbf\`, by less than STS tolerates"}",
      "fatal token-expired
    The token has expired.
    The token expired 7 min ago, at 07:53 UTC; STS tolerates 5 min.
    Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.
    {"exp":1799999600,"secondsAgo":400}",
      "suspect token-claim-invalid
    A claim of the token has a value that STS refuses.
    The token's \`exp\` is before its \`iat\` or \`nbf\`, by less than STS tolerates.
    IdP: issue this client's tokens with a valid \`exp\`.
    {"claim":"exp","problem":"is before its \`iat\` or \`nbf\`, by less than STS tolerates"}",
      "suspect token-expired
    The token seems to have expired.
    By this machine's clock, which no response of STS has confirmed, the token expired 7 min ago, at 07:53 UTC; STS tolerates 5 min.
    Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.
    {"exp":1799999600,"secondsAgo":400}",
      "fatal token-expired
    The token has expired.
    STS has refused this token as expired; its exp is 08:01 UTC, and this machine's clock says 08:00 UTC.
    Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.
    {"exp":1800000060,"secondsAgo":-60}",
      "fatal token-not-yet-valid
    The token is not valid yet.
    The token is valid from 08:06 UTC (iat or nbf); STS accepts it in 2 min.
    IdP: correct the clock of the server that issues the tokens. Check this machine's clock too.
    {"validFrom":1800000400,"validInSeconds":100}",
      "suspect token-not-yet-valid
    The token seems not to be valid yet.
    By this machine's clock, which no response of STS has confirmed, the token is valid from 08:06 UTC (iat or nbf); STS accepts it in 2 min.
    IdP: correct the clock of the server that issues the tokens. Check this machine's clock too.
    {"validFrom":1800000400,"validInSeconds":100}",
      "advice token-expires-soon
    The token is about to expire.
    The token expires in 20 s, which may be before the last retry.
    Workload: pass a token source that issues a token for each attempt, or request tokens with a longer lifetime.
    {"secondsLeft":20}",
      "advice token-expires-soon
    The token has expired, but STS still accepts it for a short time.
    The token expired 0 ms ago, at 08:00 UTC; STS tolerates 5 min.
    Workload: pass a token source that issues a token for each attempt, or request tokens with a longer lifetime.
    {"secondsLeft":0}",
      "advice token-expires-soon
    The token has expired, but STS still accepts it for a short time.
    The token expired 20 s ago, at 07:59 UTC; STS tolerates 5 min.
    Workload: pass a token source that issues a token for each attempt, or request tokens with a longer lifetime.
    {"secondsLeft":-20}",
      "suspect token-claim-invalid
    A claim of the token has a value that STS refuses.
    The token's \`exp\` is before its \`iat\` or \`nbf\`, by less than STS tolerates.
    IdP: issue this client's tokens with a valid \`exp\`.
    {"claim":"exp","problem":"is before its \`iat\` or \`nbf\`, by less than STS tolerates"}",
      "fatal token-not-yet-valid
    The token is not valid yet.
    The token is valid from 08:05 UTC (iat or nbf); STS accepts it in 10 s.
    IdP: correct the clock of the server that issues the tokens. Check this machine's clock too.
    {"validFrom":1800000310,"validInSeconds":10}",
      "fatal token-expired
    The token has expired.
    The token's \`exp\` is before its \`iat\` or \`nbf\`, which is wrong by any clock.
    Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.
    {"exp":1799999300,"secondsAgo":700}",
      "fatal token-claim-invalid
    A claim of the token has a value that STS refuses.
    The token's \`exp\` is before its \`iat\` or \`nbf\`, which is wrong by any clock.
    IdP: issue this client's tokens with a valid \`exp\`.
    {"claim":"exp","problem":"is before its \`iat\` or \`nbf\`, which is wrong by any clock"}",
    ]
  `);
});

describe("the words of a finding about a time", () => {
  test.each([
    [-301, "The token expired 5 min ago, at 07:54 UTC; STS tolerates 5 min."],
    [-7_207, "The token expired 2 h ago, at 05:59 UTC; STS tolerates 5 min."],
    [-90_000, "The token expired 25 h ago, at 2027-01-14 07:00 UTC; STS tolerates 5 min."],
    [
      -NOW_SECONDS - 1,
      "The token expired 20833 days ago, at a time before 1970; STS tolerates 5 min.",
    ],
  ])("name the time of a token that expired %d s from now", (seconds, detail) => {
    const [finding] = check(makeToken({ iat: at(seconds) - 10, exp: at(seconds) })).findings;
    expect(finding?.detail).toBe(detail);
  });

  test.each([
    [3_600, "The token is valid from 09:00 UTC (iat or nbf); STS accepts it in 55 min."],
    [301, "The token is valid from 08:05 UTC (iat or nbf); STS accepts it in 1 s."],
    [
      3e11,
      "The token is valid from a time after the year 9999 (iat or nbf); STS accepts it in 3472222 days.",
    ],
  ])("name the time of a token that becomes valid %d s from now", (seconds, detail) => {
    const [finding] = check(makeToken({ iat: at(seconds), exp: at(seconds + 300) })).findings;
    expect(finding?.detail).toBe(detail);
  });
});

test("the findings about a token's form say what STS refuses", () => {
  expect([
    ...texts("not a token"),
    ...texts(fromJson("{")),
    ...texts(makeToken({}, { crit: ["exp"] })),
    ...texts(makeToken({}, { alg: "HS256" })),
    ...texts(makeToken({}, { alg: undefined })),
  ]).toMatchInlineSnapshot(`
    [
      "fatal token-malformed
    The token is not a JWT that STS can read.
    The token is not a JWT that STS can read: it has a space or a line break inside.
    Workload: write the token on one line, and nothing else.
    {"problem":"it has a space or a line break inside","length":11}",
      "fatal token-malformed
    The token is not a JWT that STS can read.
    The token is not a JWT that STS can read: its payload is not a JSON object.
    Workload: pass the ID token itself (three dot-separated parts), not an access token, a file path or the JSON around it.
    {"problem":"its payload is not a JSON object","length":119}",
      "fatal token-malformed
    The token is not a JWT that STS can read.
    The token is not a JWT that STS can read: its header has \`crit\`, which STS does not accept.
    Workload: pass the ID token itself (three dot-separated parts), not an access token, a file path or the JSON around it.
    {"problem":"its header has \`crit\`, which STS does not accept"}",
      "fatal token-algorithm-unsupported
    STS does not verify tokens signed with this algorithm.
    The token's header says alg "HS256"; STS accepts RS256, RS384, RS512, ES256, ES384, ES512.
    IdP: sign this client's tokens with RS256 or ES256.
    {"alg":"HS256","supported":["RS256","RS384","RS512","ES256","ES384","ES512"]}",
      "fatal token-algorithm-unsupported
    STS does not verify tokens signed with this algorithm.
    The token's header says alg "undefined"; STS accepts RS256, RS384, RS512, ES256, ES384, ES512.
    IdP: sign this client's tokens with RS256 or ES256.
    {"alg":"undefined","supported":["RS256","RS384","RS512","ES256","ES384","ES512"]}",
    ]
  `);
});

test("a token's facts say whether it has session tags or a source identity", () => {
  const facts = (claims: object) => checkToken(makeToken({ ...claims }), { now: NOW }).facts;
  const tags = "https://aws.amazon.com/tags";
  const identity = "https://aws.amazon.com/source_identity";
  expect(facts({ [tags]: {} })).toMatchObject({ hasSessionTags: true });
  expect(facts({ [`${tags}/principal_tags`]: {} })).toMatchObject({ hasSessionTags: true });
  expect(facts({ [identity]: "a" })).toMatchObject({ hasSourceIdentity: true });
  for (const fact of ["hasSessionTags", "hasSourceIdentity"]) {
    expect(facts({ [`${tags}2`]: {}, [`${identity}2`]: "a" })).not.toHaveProperty(fact);
  }
});
