import { generateKeyPairSync } from "node:crypto";
import type { FindingId } from "../../src/model/findings.js";
import type { IdpFault, LocalIdp } from "../../src/testing/index.js";
import { assumeRole } from "../support/call-sts.js";
import { healthy, settingsFor } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";

type Jwk = Readonly<Record<string, unknown>>;

const VERIFICATION_KEY: readonly FindingId[] = ["sts-verification-key"];

/** A world in which nothing but what the IdP serves is wrong. STS sees the same. */
function served(name: string, spoil: (idp: LocalIdp) => void, cause: FindingId): Row {
  return {
    name,
    async build(site) {
      const { idp, options } = await healthy(site);
      spoil(idp);
      return { options };
    },
    cause,
    verdict: "broken",
    also: VERIFICATION_KEY,
  };
}

function fault(name: string, how: IdpFault, cause: FindingId): Row {
  return served(name, (idp) => idp.setFault(how), cause);
}

const SECP256K1 = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({
  format: "jwk",
});

const withZero = (number: string) =>
  Buffer.concat([Buffer.alloc(1), Buffer.from(number, "base64url")]).toString("base64url");

const changeKeys = (change: (key: Jwk) => Jwk | readonly Jwk[]) => (idp: LocalIdp) =>
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).flatMap(change) }));

/** Three replicas with a key each behind a balancer that takes them in turn; STS's cache is as it was. */
async function replicate(idp: LocalIdp): Promise<void> {
  await idp.addKey();
  await idp.addKey();
  let turn = 0;
  idp.setJwks(({ keys }) => {
    turn += 1;
    return { keys: [(keys as Jwk[])[turn % 3]] };
  });
}

export const ISSUER_ROWS: readonly Row[] = [
  fault(
    "discovery returns 404",
    { kind: "status", httpStatus: 404, on: "discovery" },
    "discovery-http-status",
  ),
  fault("discovery is a login page", { kind: "html", on: "discovery" }, "discovery-not-json"),
  fault("discovery hangs", { kind: "hang", on: "discovery" }, "discovery-slow"),
  fault(
    "discovery redirects to a login",
    { kind: "redirect", location: "https://login.invalid/", on: "discovery" },
    "issuer-redirects",
  ),
  fault(
    "the JWKS returns 500",
    { kind: "status", httpStatus: 500, on: "jwks" },
    "jwks-http-status",
  ),
  fault("the JWKS is rate-limited", { kind: "rate-limit", on: "jwks" }, "jwks-rate-limited"),
  fault("the JWKS hangs", { kind: "hang", on: "jwks" }, "jwks-timeout"),
  fault("the JWKS is a page", { kind: "html", on: "jwks" }, "jwks-not-json"),
  served("the JWKS is empty", (idp) => idp.setJwks({ keys: [] }), "jwks-empty"),
  served(
    "the JWKS has 2 MB",
    (idp) => idp.setJwks((right) => ({ ...right, filler: "x".repeat(2_000_000) })),
    "jwks-too-large",
  ),
  served(
    "the JWKS has 101 EC keys",
    changeKeys((key) => [
      ...Array.from({ length: 100 }, (_, kid) => ({ ...key, kid: `${kid}` })),
      key,
    ]),
    "jwks-too-many-keys",
  ),
  served(
    "the key is for encryption",
    changeKeys((key) => ({ ...key, use: "enc" })),
    "jwks-key-unusable",
  ),
  served(
    "the key has no kid",
    changeKeys((key) => ({ ...key, kid: undefined })),
    "jwks-key-unusable",
  ),
  served(
    "discovery names the issuer with a slash",
    (idp) => idp.setDiscovery((right) => ({ ...right, issuer: `${idp.issuer}/` })),
    "discovery-issuer-mismatch",
  ),
  served(
    "discovery lacks response_types_supported",
    (idp) => idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined })),
    "discovery-field-missing",
  ),
  {
    name: "the key has key_ops, which STS reports as a token that it can't validate",
    async build(site) {
      const { idp, options } = await healthy(site);
      changeKeys((key) => ({ ...key, key_ops: ["verify"] }))(idp);
      return { options };
    },
    cause: "jwks-key-unusable",
    verdict: "broken",
    also: ["sts-audience-refused"],
  },
  served(
    "the discovery document begins with a byte order mark",
    (idp) => idp.setDiscovery(`\uFEFF${idp.discoveryText}`),
    "discovery-byte-order-mark",
  ),
  served(
    "the JWKS begins with a byte order mark",
    (idp) => idp.setJwks(`\uFEFF${idp.jwksText}`),
    "jwks-byte-order-mark",
  ),
  served(
    "the JWKS has a comma too many",
    (idp) => idp.setJwks(idp.jwksText.replace(/\]\}$/, ",]}")),
    "jwks-not-json",
  ),
  served(
    "the key is on a curve that STS does not accept",
    changeKeys((key) => ({ ...key, ...SECP256K1 })),
    "jwks-key-unusable",
  ),
  ...Object.entries({
    "its modulus begins with a zero octet": (n: string) => withZero(n),
    "its modulus has padding": (n: string) => `${n}=`,
    "its modulus has a line break": (n: string) => `${n.slice(0, 64)}\n${n.slice(64)}`,
  }).map(
    ([name, write]): Row => ({
      name: `${name}, which STS reports as a token that it can't validate`,
      async build(site) {
        const { idp, options } = await healthy(site, { idp: { algorithm: "RS256" } });
        changeKeys((key) => ({ ...key, n: write(String(key.n)) }))(idp);
        return { options };
      },
      cause: "jwks-key-unusable",
      verdict: "broken",
      also: ["sts-audience-refused"],
      says: /its n /,
    }),
  ),
  {
    name: "the key's use is jwt-svid, and STS accepts it",
    async build(site) {
      const { idp, options } = await healthy(site);
      changeKeys((key) => ({ ...key, use: "jwt-svid" }))(idp);
      return { options };
    },
    cause: null,
    verdict: "healthy",
    also: ["jwks-key-unusable"],
  },
  {
    name: "the token's kid is empty, and so is that of one of two keys",
    async build(site) {
      const { idp, options } = await healthy(site, { idp: { kid: "" } });
      await idp.addKey();
      return { options };
    },
    cause: null,
    verdict: "healthy",
  },
  {
    name: "the issuer lists PS256 alone",
    async build(site) {
      const { idp, options } = await healthy(site);
      idp.setDiscovery((right) => ({
        ...right,
        id_token_signing_alg_values_supported: ["PS256"],
      }));
      return { options };
    },
    cause: null,
    verdict: "healthy",
    also: ["discovery-algorithms-unsupported"],
  },
  {
    name: "replicas have a key each, and none that responds has the token's",
    async build(site) {
      const { idp, sts } = await healthy(site);
      await replicate(idp);
      return { options: settingsFor(sts, await idp.issueToken({ header: { kid: "nobody" } })) };
    },
    cause: "jwks-inconsistent",
    verdict: "broken",
    also: ["jwks-key-not-found", ...VERIFICATION_KEY],
  },
  {
    name: "replicas have a key each, and STS accepted the token",
    async build(site) {
      const { idp, sts, options } = await healthy(site);
      await assumeRole(sts, String(options.token));
      await replicate(idp);
      return { options };
    },
    cause: "jwks-inconsistent",
    verdict: "degraded",
  },
  {
    name: "the token has no kid among several keys",
    async build(site) {
      const { idp, sts } = await healthy(site);
      await idp.addKey();
      return { options: settingsFor(sts, await idp.issueToken({ header: { kid: undefined } })) };
    },
    cause: "jwks-key-ambiguous",
    verdict: "broken",
    also: VERIFICATION_KEY,
  },
  {
    name: "the JWKS takes 3 s, and STS is not called",
    async build(site) {
      const { idp, options } = await healthy(site);
      idp.setFault({ kind: "slow", delayMs: 3_000, on: "jwks" });
      return { options: { ...options, assume: false } };
    },
    cause: null,
    verdict: "healthy",
    also: ["jwks-slow"],
  },
  {
    name: "both documents together take longer than STS waits",
    async build(site) {
      const { idp, options } = await healthy(site, { sts: { idpTimeoutMs: 4_000 } });
      idp.setFault({ kind: "slow", delayMs: 2_600 });
      return { options };
    },
    cause: "jwks-timeout",
    verdict: "broken",
    also: VERIFICATION_KEY,
  },
  {
    name: "the IdP limits the rate of every second request",
    async build(site) {
      const { idp, options } = await healthy(site);
      idp.setFault({ kind: "slow", delayMs: 0, times: 2, on: "jwks" });
      idp.setFault({ kind: "rate-limit", on: "jwks" });
      return { options };
    },
    cause: "jwks-rate-limited",
    verdict: "degraded",
  },
];
