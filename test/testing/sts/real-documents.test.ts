import { expect, test } from "vitest";
import { startLocalIdp, startLocalSts } from "../../../src/testing/index.js";
import { jwksUri, usableKeys } from "../../../src/testing/sts/issuer-keys.js";
import { assumeRole } from "../../support/call-sts.js";
import { listSharedFiles, readSharedJson } from "../../support/shared-data.js";

type Discovery = Readonly<Record<string, unknown>> & { readonly issuer: string };

const LEFT_OUT = "the documents that real identity providers served";
const PROVIDERS = listSharedFiles("idp", LEFT_OUT)
  .filter((file) => file.endsWith("-discovery.json"))
  .map((file) => file.replace(/-discovery\.json$/, ""));

for (const provider of PROVIDERS) {
  const discovery = readSharedJson(`idp/${provider}-discovery.json`, LEFT_OUT) as Discovery;
  const { keys } = readSharedJson(`idp/${provider}-jwks.json`, LEFT_OUT) as { keys: unknown[] };

  test(`the local STS can use every key that ${provider} served`, () => {
    expect(jwksUri(discovery, discovery.issuer)).toBe(discovery.jwks_uri);
    expect(usableKeys(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(0);
  });

  test(`the local STS verifies a token whose key is published with the documents of ${provider}`, async () => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    // Only the URLs are changed, so that no test calls another machine.
    idp.setDiscovery(({ issuer, jwks_uri }) => ({ ...discovery, issuer, jwks_uri }));
    idp.setJwks((own) => ({ keys: [...keys, ...(own.keys as unknown[])] }));
    expect(await assumeRole(sts, await idp.issueToken())).toMatchObject({ code: "ok" });
  });
}

test("a discovery document without a field that STS requires is unusable", () => {
  const issuer = "https://issuer.invalid";
  const right = {
    issuer,
    jwks_uri: "https://issuer.invalid/jwks",
    response_types_supported: ["code"],
    subject_types_supported: ["pairwise"],
    id_token_signing_alg_values_supported: ["RS256"],
  };
  expect(jwksUri(right, issuer)).toBe(right.jwks_uri);
  expect(() => jwksUri(right, `${issuer}/`)).toThrow();
  for (const field of Object.keys(right)) {
    expect(() => jwksUri({ ...right, [field]: undefined }, issuer), field).toThrow();
  }
});
