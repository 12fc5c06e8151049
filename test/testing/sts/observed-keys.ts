import { expect } from "vitest";
import { startLocalSts, type TokenRequest } from "../../../src/testing/index.js";
import { type AssumeRoleReply, assumeRole } from "../../support/call-sts.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../../support/certificate.js";
import {
  callSts,
  INVALID,
  NOT_VALIDATED,
  type ObservedScenario,
  type ObservedWorld,
  OK,
  withToken,
} from "./observed-world.js";

type Jwk = Readonly<Record<string, unknown>>;

const RSA_JWKS = (change: (key: Jwk, index: number) => Jwk | readonly Jwk[]) => {
  return ({ keys }: Readonly<Record<string, unknown>>) => ({
    keys: (keys as Jwk[]).flatMap((key, index) => (key.kty === "RSA" ? change(key, index) : key)),
  });
};

const withKeys =
  (change: (key: Jwk, index: number) => Jwk | readonly Jwk[], token: TokenRequest = {}) =>
  (world: ObservedWorld): Promise<AssumeRoleReply> => {
    world.idp.setJwks(RSA_JWKS(change));
    return callSts(world, token);
  };

const manyRsaKeys = (key: Jwk) => [
  ...Array.from({ length: 100 }, (_, index) => ({ ...key, kid: `more-${index}` })),
  key,
];

const VERIFICATION_KEY =
  "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

/** How STS was observed to respond to keys. */
export const OBSERVED_KEYS: readonly ObservedScenario[] = [
  {
    scenario: "JWT kid not in JWKS",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: { kid: withToken({ header: { kid: "unknown" } }) },
  },
  {
    scenario: "JWT without kid or empty kid, JWKS has several keys",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: {
      "without kid": withToken({ header: { kid: undefined } }),
      "empty kid": withToken({ header: { kid: "" } }),
    },
  },
  {
    scenario: "JWT without kid, JWKS has exactly one key (with kid)",
    ...OK,
    cases: {
      kid: (world) => {
        world.idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).slice(0, 1) }));
        return callSts(world, { header: { kid: undefined } });
      },
    },
  },
  {
    scenario: "JWK without kid",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: { kid: withKeys((key) => ({ ...key, kid: undefined })) },
  },
  {
    scenario: "JWK use=enc",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: { use: withKeys((key) => ({ ...key, use: "enc" })) },
  },
  {
    scenario: "JWK whose x5c contradicts n",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: { x5c: withKeys((key) => ({ ...key, x5c: [CERTIFICATE_OF_ANOTHER_KEY] })) },
  },
  {
    scenario: "101 RSA keys (+1 EC) with RSA token",
    ...INVALID,
    message: VERIFICATION_KEY,
    cases: {
      "RSA fails where EC goes on": async (world) => {
        const reply = await withKeys(manyRsaKeys)(world);
        expect(await callSts(world, { key: world.kids.ES256 })).toMatchObject(OK);
        return reply;
      },
    },
  },
  {
    scenario: "JWK alg=RS512, token alg RS256",
    ...OK,
    cases: { alg: withKeys((key) => ({ ...key, alg: "RS512" })) },
  },
  {
    scenario: 'JWK key_ops ["sign"] or even ["verify"]',
    ...INVALID,
    message: NOT_VALIDATED,
    cases: {
      sign: withKeys((key) => ({ ...key, key_ops: ["sign"] })),
      verify: withKeys((key) => ({ ...key, key_ops: ["verify"] })),
    },
  },
  {
    scenario: "duplicate kid: identical / wrong first",
    ...OK,
    cases: {
      identical: withKeys((key) => [key, key]),
      "wrong first": async (world) => {
        const wrong = await world.idp.addKey({ algorithm: "RS256" });
        const keys = JSON.parse(world.idp.jwksText).keys as Jwk[];
        const other = keys.find(({ kid }) => kid === wrong) ?? {};
        return withKeys((key) => [{ ...other, kid: key.kid }, key])(world);
      },
    },
  },
  {
    scenario: "JWKS object replaced between calls ~2 s apart (Cache-Control: no-cache)",
    ...OK,
    cases: {
      "the new one counts immediately": async ({ idp, clock }) => {
        await using sts = await startLocalSts({ now: () => clock.seconds * 1000 });
        const old = await idp.issueToken();
        expect(await assumeRole(sts, old)).toMatchObject(OK);
        const kid = await idp.addKey({ algorithm: "ES256" });
        idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).filter((key) => key.kid === kid) }));
        clock.seconds += 2;
        expect(await assumeRole(sts, old)).toMatchObject({ ...INVALID, message: VERIFICATION_KEY });
        return await assumeRole(sts, await idp.issueToken({ key: kid }));
      },
    },
  },
];
