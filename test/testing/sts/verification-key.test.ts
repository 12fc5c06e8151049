import { expect, test } from "vitest";
import { type SigningAlgorithm, startLocalIdp, startLocalSts } from "../../../src/testing/index.js";
import { assumeRole } from "../../support/call-sts.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../../support/certificate.js";

type Jwk = Readonly<Record<string, unknown>>;

const copies = (count: number) => (key: Jwk) =>
  Array.from({ length: count }, (_, index) => ({ ...key, kid: `copy-${index}` }));

test.each<[string, SigningAlgorithm, (key: Jwk) => readonly unknown[], string]>([
  ["a key without use", "ES256", (key) => [{ ...key, use: undefined }], "ok"],
  ["a key without alg", "RS256", (key) => [{ ...key, alg: undefined }], "ok"],
  [
    "a key beside entries that are not keys",
    "ES256",
    (key) => [null, "x", { kty: "oct" }, key],
    "ok",
  ],
  ["a hundred EC keys", "ES256", (key) => [...copies(99)(key), key], "ok"],
  ["101 EC keys", "ES256", (key) => [...copies(100)(key), key], "refused"],
  [
    "a key with only a certificate",
    "RS256",
    ({ kty, kid }) => [{ kty, kid, x5c: [CERTIFICATE_OF_ANOTHER_KEY] }],
    "refused",
  ],
  ["a key with half its parameters", "ES256", (key) => [{ ...key, y: undefined }], "refused"],
  ["no keys", "ES256", () => [], "refused"],
])("the local STS searches a JWKS with %s for the verification key", async (...row) => {
  const [, algorithm, change, expected] = row;
  await using idp = await startLocalIdp({ algorithm });
  await using sts = await startLocalSts({ providers: [idp] });
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).flatMap(change) }));
  const { code, message } = await assumeRole(sts, await idp.issueToken());
  if (expected === "ok") expect(code).toBe("ok");
  else expect(message).toMatch(/^Couldn't retrieve verification key/);
});

test.each([
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
])("the local STS can't use a discovery document without %s", async (field) => {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  await using sts = await startLocalSts({ providers: [idp] });
  idp.setDiscovery((document) => ({ ...document, [field]: undefined }));
  const { message } = await assumeRole(sts, await idp.issueToken());
  expect(message).toMatch(/^Couldn't retrieve verification key/);
});
