import { expect, test } from "vitest";
import { checkDiscovery } from "../../src/preflight/discovery.js";
import { problemOf, readKeySet } from "../../src/preflight/key-set.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { startApiServer } from "../support/api-server.js";
import { listSharedFiles, readSharedJson } from "../support/shared-data.js";
import { checkWorld, found } from "./check-world.js";

type Json = Readonly<Record<string, unknown>>;

const LEFT_OUT = "the issuer check of documents that real identity providers served";
const PROVIDERS = listSharedFiles("idp", LEFT_OUT)
  .filter((file) => file.endsWith("-discovery.json"))
  .map((file) => file.replace(/-discovery\.json$/, ""));

const bytes = (document: unknown) => Buffer.from(JSON.stringify(document));

for (const provider of PROVIDERS) {
  const discovery = readSharedJson(`idp/${provider}-discovery.json`, LEFT_OUT) as Json;
  const jwks = readSharedJson(`idp/${provider}-jwks.json`, LEFT_OUT) as { keys: Json[] };

  test(`nothing is wrong with the documents of ${provider}`, () => {
    const issuer = String(discovery.issuer);
    const checked = checkDiscovery(bytes(discovery), issuer, `${issuer}/discovery`);
    expect(checked.findings).toEqual([]);
    expect(checked.jwksUrl?.href).toBe(discovery.jwks_uri);
    const read = readKeySet(bytes(jwks), "https://issuer.invalid/jwks");
    expect(read.findings).toEqual([]);
    const entries = read.keySet?.entries ?? [];
    expect(entries).toHaveLength(jwks.keys.length);
    expect(entries.map(problemOf)).toEqual(jwks.keys.map(() => undefined));
  });

  test(`a token whose key is among those of ${provider} is verified`, async () => {
    await using idp = await startLocalIdp();
    idp.setDiscovery(({ issuer, jwks_uri }) => ({ ...discovery, issuer, jwks_uri }));
    idp.setJwks((own) => ({ keys: [...jwks.keys, ...(own.keys as Json[])] }));
    expect(found(await checkWorld().check(await idp.issueToken()))).toEqual([]);
  });
}

test("the documents cover every observed rule of keys", () => {
  const recorded = readSharedJson("sts-observed.json", "the rules that STS was seen to have");
  if (recorded === undefined) return;
  const { observations } = recorded as { observations: readonly { scenario: string }[] };
  const ofKeys = observations
    .map(({ scenario }) => scenario)
    .filter((text) => /JWK|JWT (kid|without)|^alg |RSA keys|duplicate kid/.test(text));
  // Each is a test in sts-rules.test.ts, but for a missing kid (missing-key.test.ts) and a JWKS that
  // is replaced (courtesy.test.ts).
  expect(ofKeys).toEqual([
    "alg RS256/RS384/RS512/ES256/ES384/ES512",
    "JWT kid not in JWKS",
    "JWT without kid or empty kid, JWKS has several keys",
    "JWT without kid, JWKS has exactly one key (with kid)",
    "JWK without kid",
    "JWK use=enc",
    "JWK whose x5c contradicts n",
    "101 RSA keys (+1 EC) with RSA token",
    "JWK alg=RS512, token alg RS256",
    'JWK key_ops ["sign"] or even ["verify"]',
    "duplicate kid: identical / wrong first",
    "JWKS object replaced between calls ~2 s apart (Cache-Control: no-cache)",
  ]);
});

test("a JWKS that is served only under its own media type, as in Kubernetes, is fetched", async () => {
  await using idp = await startLocalIdp();
  await using api = await startApiServer(idp);
  const token = await idp.issueToken({ claims: { iss: api.issuer } });
  expect(found(await checkWorld().check(token))).toEqual([]);
});
