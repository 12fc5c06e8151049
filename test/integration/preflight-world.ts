import { isWebIdentityError, type PreflightOptions } from "../../src/index.js";
import type { WebIdentityError } from "../../src/model/errors.js";
// Loaded before the first issuer check, so that the virtual clock waits for no module.
import "../../src/preflight/run-issuer-check.js";
import type { TokenSource } from "../../src/model/token-source.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { LocalIdp } from "../../src/testing/index.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../support/certificate.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { rejection, startWorld, type World, type WorldOptions } from "../support/world.js";

/** The issuer check has a limit of 5 s, which passes only in the tests that mean it. */
const CHECK_TAKES_MS = 4_999;

export interface PreflightWorld extends World {
  /** The error of a provider whose issuer check may send requests to this machine. */
  fail(mode: PreflightOptions["mode"], source?: TokenSource): Promise<WebIdentityError>;
}

/** An IdP, and an STS that asks it for every token; the waits of a provider cost no time. */
export async function startPreflightWorld(
  clock = new VirtualClock(CHECK_TAKES_MS),
  sts: WorldOptions = {},
): Promise<PreflightWorld> {
  const world = await startWorld({ clock, jwksCacheSeconds: 0, ...sts });
  return Object.assign(world, {
    async fail(mode: PreflightOptions["mode"], token: TokenSource = () => world.idp.issueToken()) {
      const error = await rejection(world.provide(checkingIn(mode), { token })());
      if (!isWebIdentityError(error)) throw error;
      return error;
    },
  });
}

/** The option for an issuer check that may send requests to this machine. */
export function checkingIn(mode: PreflightOptions["mode"]): WebIdentityInit {
  return { preflight: { mode, allowPrivateIssuers: true } };
}

/** The findings, as `severity id`. */
export function found({ findings }: Pick<WebIdentityError, "findings">): string[] {
  return findings.map(({ severity, id }) => `${severity} ${id}`);
}

/** The requests of the issuer check, without those of STS. */
export function issuerRequests({ requests }: LocalIdp): LocalIdp["requests"] {
  return requests.filter(({ headers }) => headers["user-agent"]?.includes("resilient-sts"));
}

type Jwk = Readonly<Record<string, unknown>>;

const changeKeys = (change: (key: Jwk) => Jwk | readonly Jwk[]) => (idp: LocalIdp) =>
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).flatMap(change) }));
const without = (member: string) => (idp: LocalIdp) =>
  idp.setDiscovery((right) => ({ ...right, [member]: undefined }));

interface PermanentFault {
  readonly make: (idp: LocalIdp) => unknown;
  readonly token?: (idp: LocalIdp) => Promise<string>;
  readonly id: string;
  /** @default "ERR_IDP_UNUSABLE" */
  readonly code?: string;
  /** @default 1 */
  readonly callsInAdvisory?: number;
  /** @default 0 */
  readonly callsInStrict?: number;
  /** STS itself rejects the token, and does not report that it could not get the key. */
  readonly isNamedBySts?: boolean;
}

const RSA = "RS256";

/** Every permanent fault of keys and documents that STS was observed to refuse. */
export const PERMANENT_FAULTS: Readonly<Record<string, PermanentFault>> = {
  "a key that is not published": {
    make: (idp) => idp.rotateKeys({ publish: false }),
    id: "jwks-key-not-found",
    code: "ERR_TOKEN_REJECTED",
    callsInAdvisory: 2,
    callsInStrict: 2,
  },
  "a token without kid among several keys": {
    make: (idp) => idp.addKey(),
    token: (idp) => idp.issueToken({ header: { kid: undefined } }),
    id: "jwks-key-ambiguous",
  },
  "a key without kid": {
    make: changeKeys((key) => ({ ...key, kid: undefined })),
    id: "jwks-key-unusable",
  },
  "a key for encryption": {
    make: changeKeys((key) => ({ ...key, use: "enc" })),
    id: "jwks-key-unusable",
  },
  "a key with key_ops": {
    make: changeKeys((key) => ({ ...key, key_ops: ["verify"] })),
    id: "jwks-key-unusable",
    isNamedBySts: true,
  },
  "a key that is only a certificate": {
    make: async (idp) => {
      await idp.rotateKeys({ algorithm: RSA, keepOldKeys: false });
      changeKeys(({ kid, kty, use }) => ({ kid, kty, use, x5c: [CERTIFICATE_OF_ANOTHER_KEY] }))(
        idp,
      );
    },
    id: "jwks-key-unusable",
  },
  "a certificate that contradicts its key": {
    make: changeKeys((key) => ({ ...key, x5c: [CERTIFICATE_OF_ANOTHER_KEY] })),
    id: "jwks-key-unusable",
    callsInStrict: 1,
  },
  "a hundred and one RSA keys": {
    make: async (idp) => {
      await idp.rotateKeys({ algorithm: RSA, keepOldKeys: false });
      const more = Array.from({ length: 100 }, (_, index) => `more-${index}`);
      changeKeys((key) => [key, ...more.map((kid) => ({ ...key, kid }))])(idp);
    },
    id: "jwks-too-many-keys",
  },
  "a byte order mark before the discovery document": {
    make: (idp) => idp.setDiscovery(`\uFEFF${idp.discoveryText}`),
    id: "discovery-byte-order-mark",
    callsInStrict: 1,
  },
  "a byte order mark before the JWKS": {
    make: (idp) => idp.setJwks(`\uFEFF${idp.jwksText}`),
    id: "jwks-byte-order-mark",
    callsInStrict: 1,
  },
  "a JWKS with a comma too many": {
    make: (idp) => idp.setJwks(idp.jwksText.replace(/\]\}$/, ",]}")),
    id: "jwks-not-json",
    callsInStrict: 1,
  },
  "a coordinate with a zero octet too many": {
    make: changeKeys((key) => ({ ...key, x: `AAAA${key.x}` })),
    id: "jwks-key-unusable",
    callsInStrict: 1,
    isNamedBySts: true,
  },
  "a coordinate with padding": {
    make: changeKeys((key) => ({ ...key, y: `${key.y}=` })),
    id: "jwks-key-unusable",
    callsInStrict: 1,
    isNamedBySts: true,
  },
  "an empty kid in the token, which no key of several has": {
    make: (idp) => idp.addKey(),
    token: (idp) => idp.issueToken({ header: { kid: "" } }),
    id: "jwks-key-ambiguous",
  },
  "no key at all": { make: (idp) => idp.setJwks({ keys: [] }), id: "jwks-empty" },
  "a JWKS that is no object": { make: (idp) => idp.setJwks("[]"), id: "jwks-not-json" },
  "a JWKS that is a list of keys": {
    make: (idp) => idp.setJwks(JSON.stringify(JSON.parse(idp.jwksText).keys)),
    id: "jwks-not-json",
    callsInStrict: 1,
  },
  "a JWKS whose keys are an object": {
    make: (idp) => idp.setJwks(({ keys }) => ({ keys: { key: (keys as Jwk[])[0] } })),
    id: "jwks-empty",
    callsInStrict: 1,
  },
  "a signature of another key": {
    make: () => {},
    token: (idp) => idp.issueToken({ breakSignature: true }),
    id: "signature-invalid",
    code: "ERR_TOKEN_REJECTED",
    isNamedBySts: true,
  },
  "another issuer's discovery document": {
    make: (idp) => idp.setDiscovery((right) => ({ ...right, issuer: `${idp.issuer}/` })),
    id: "discovery-issuer-mismatch",
    callsInStrict: 1,
  },
  ...Object.fromEntries(
    [
      "jwks_uri",
      "response_types_supported",
      "subject_types_supported",
      "id_token_signing_alg_values_supported",
    ].map((member) => [`no ${member}`, { make: without(member), id: "discovery-field-missing" }]),
  ),
};
