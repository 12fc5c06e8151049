import { expect } from "vitest";
import type { SigningAlgorithm } from "../../../src/testing/index.js";
import { type AssumeRoleReply, ROLE_ARN } from "../../support/call-sts.js";
import {
  callSts,
  INVALID,
  NOT_VALIDATED,
  type ObservedScenario,
  type ObservedWorld,
  OK,
  withToken,
} from "./observed-world.js";

const TAGS = "https://aws.amazon.com/tags";

const withClaims = (claims: Record<string, unknown>) => withToken({ claims });

const at =
  (seconds: number, claims: Record<string, number>) =>
  (world: ObservedWorld): Promise<AssumeRoleReply> => {
    world.clock.seconds = seconds;
    return callSts(world, { claims: { iat: seconds, exp: seconds + 900, ...claims } });
  };

const withSubject = (sub: unknown, seen: string) => async (world: ObservedWorld) => {
  const reply = await callSts(world, { claims: { sub } });
  expect(reply.output?.SubjectFromWebIdentityToken).toBe(seen);
  return reply;
};

const withAlgorithm = (algorithm: SigningAlgorithm) => (world: ObservedWorld) =>
  callSts(world, { key: world.kids[algorithm], algorithm });

/** How STS was observed to respond to claims and requests. */
export const OBSERVED_CLAIMS: readonly ObservedScenario[] = [
  {
    scenario: "provider+role just created, +0 s and +3.7 s",
    code: "AccessDenied",
    httpStatus: 403,
    message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    cases: {
      "after 0 s": (world) => assumeNewRole(world, 0),
      "after 3.7 s, and granted after 7.5 s": async (world) => {
        const denied = await assumeNewRole(world, 3.7);
        expect(await assumeNewRole(world, 7.5)).toMatchObject(OK);
        return denied;
      },
    },
  },
  {
    scenario: "alg RS256/RS384/RS512/ES256/ES384/ES512",
    ...OK,
    cases: {
      RS256: withAlgorithm("RS256"),
      RS384: withAlgorithm("RS384"),
      RS512: withAlgorithm("RS512"),
      ES256: withAlgorithm("ES256"),
      ES384: withAlgorithm("ES384"),
      ES512: withAlgorithm("ES512"),
    },
  },
  {
    scenario: "missing iss|sub|aud|iat|exp",
    ...INVALID,
    message: "Missing a required claim: <claim>",
    cases: Object.fromEntries(
      ["iss", "sub", "aud", "iat", "exp"].map((claim) => [
        claim,
        withClaims({ [claim]: undefined }),
      ]),
    ),
  },
  {
    scenario: 'sub one char / empty string / 300 chars / number 123 (returned as "123")',
    ...OK,
    cases: {
      "one character": withSubject("x", "x"),
      "no character": withSubject("", ""),
      "300 characters": withSubject("s".repeat(300), "s".repeat(300)),
      "a number": withSubject(123, "123"),
    },
  },
  {
    scenario: "sub null",
    code: "InternalFailure",
    httpStatus: 500,
    message: "Unknown error validating third-party token",
    cases: { null: withClaims({ sub: null }) },
  },
  {
    scenario: "aud array with >1 entries and no azp (even if both registered)",
    ...INVALID,
    message: "Token audience contains more than one audience while authorized party is not present",
    cases: {
      "both registered": withToken({ audience: ["client-a", "client-b"] }),
      "one registered": withToken({ audience: ["client-a", "other"] }),
    },
  },
  {
    scenario: "aud single-element array",
    ...OK,
    cases: { array: withToken({ audience: ["client-a"] }) },
  },
  {
    scenario: "aud not registered but azp registered",
    ...OK,
    cases: {
      azp: async (world) => {
        const several = { audience: ["other", "client-a"], claims: { azp: "client-b" } };
        expect((await callSts(world, several)).output?.Audience).toBe("client-b");
        const reply = await callSts(world, { audience: "other", claims: { azp: "client-b" } });
        expect(reply.output?.Audience).toBe("client-b");
        return reply;
      },
    },
  },
  {
    scenario: "aud registered but azp NOT registered",
    ...INVALID,
    message: NOT_VALIDATED,
    cases: { azp: withClaims({ azp: "other" }) },
  },
  {
    scenario: "aud empty string / wrong audience (duplicate aud member, last wins)",
    ...INVALID,
    message: NOT_VALIDATED,
    cases: {
      empty: withToken({ audience: "" }),
      wrong: withToken({ audience: "other" }),
      "a duplicate, the last one wrong": (world) => {
        const { seconds } = world.clock;
        const payload = `{"iss":"${world.idp.issuer}","aud":"client-a","aud":"other","sub":"s","iat":${seconds},"exp":${seconds + 900}}`;
        return callSts(world, { payload });
      },
    },
  },
  {
    scenario: "exp 24 s ago",
    ...OK,
    cases: { exp: at(1789123721, { iat: 1789122797, exp: 1789123697 }) },
  },
  {
    scenario: "exp 324 s ago",
    code: "ExpiredTokenException",
    httpStatus: 400,
    message:
      "Token expired: current date/time 1789123421 must be before the expiration date/time 1789123397",
    cases: { exp: at(1789123721, { iat: 1789122497, exp: 1789123397 }) },
  },
  {
    scenario: "iat +~280 s in the future",
    ...OK,
    cases: { iat: at(1789123698, { iat: 1789123978 }) },
  },
  {
    scenario: "iat 1 h in the future",
    ...INVALID,
    message: "Token issued in the future: 1789127298",
    cases: { iat: at(1789123698, { iat: 1789127298, exp: 1789128198 }) },
  },
  {
    scenario: "nbf 1 h in the future",
    ...INVALID,
    message:
      "Token not yet valid: current date/time 1789124026 must be after or equal to the not-before date/time 1789127298",
    cases: { nbf: at(1789123726, { nbf: 1789127298 }) },
  },
  {
    scenario: "nbf/iat/exp as integer STRING",
    ...OK,
    cases: Object.fromEntries(
      ["nbf", "iat", "exp"].map((claim) => [
        claim,
        (world: ObservedWorld) => {
          const seconds = world.clock.seconds + (claim === "exp" ? 900 : 0);
          return callSts(world, { claims: { [claim]: String(seconds) } });
        },
      ]),
    ),
  },
  {
    scenario: "session tags nested arrays / flattened string tags / source_identity claim",
    ...OK,
    cases: {
      nested: withClaims({ [TAGS]: { principal_tags: { Project: ["Blue"] } } }),
      flattened: withClaims({ [`${TAGS}/principal_tags/Project`]: "Blue" }),
      "source identity": async (world) => {
        const claims = { "https://aws.amazon.com/source_identity": "somebody" };
        const reply = await callSts(world, { claims });
        expect(reply.output?.SourceIdentity).toBe("somebody");
        return reply;
      },
    },
  },
  {
    scenario: "token with 60 s left, DurationSeconds 7200 (role max 7200)",
    ...OK,
    cases: {
      "the token does not cap the session": async (world) => {
        const role = { arn: ROLE_ARN, maxSessionDurationSeconds: 7200 };
        const token = { expiresInSeconds: 60 };
        const reply = await callSts(world, token, { DurationSeconds: 7200 }, [role]);
        const expiration = reply.output?.Credentials?.Expiration?.getTime() ?? 0;
        expect(expiration).toBe((world.clock.seconds + 7200) * 1000);
        return reply;
      },
    },
  },
  {
    scenario: "ProviderId=www.amazon.com with an OIDC JWT",
    ...INVALID,
    message: "Provided Token is not a Login With Amazon token",
    cases: { ProviderId: (world) => callSts(world, {}, { ProviderId: "www.amazon.com" }) },
  },
];

/** A role created at the start of the recording, which propagated in less than 7.5 seconds. */
async function assumeNewRole(world: ObservedWorld, afterSeconds: number): Promise<AssumeRoleReply> {
  const start = 1789123700;
  world.clock.seconds = start + afterSeconds;
  return await callSts(world, {}, {}, [{ arn: ROLE_ARN, usableFrom: (start + 5) * 1000 }]);
}
