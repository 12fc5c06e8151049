import { expect, test } from "vitest";
import { firstFatal } from "../../src/model/findings.js";
import { type LocalIdp, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { assumeRole } from "../support/call-sts.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../support/certificate.js";
import { checkWorld } from "./check-world.js";

type Jwk = Readonly<Record<string, unknown>>;
type World = ReturnType<typeof checkWorld>;

const changeKeys = (change: (key: Jwk) => Jwk | readonly Jwk[]) => (idp: LocalIdp) =>
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).flatMap(change) }));
const without = (member: string) => (idp: LocalIdp) =>
  idp.setDiscovery((right) => ({ ...right, [member]: undefined }));

/** Faults for which STS returns "Couldn't retrieve verification key", and that do not pass with time. */
const PERMANENT: Readonly<Record<string, (idp: LocalIdp) => void>> = {
  "no response_types_supported": without("response_types_supported"),
  "no subject_types_supported": without("subject_types_supported"),
  "no id_token_signing_alg_values_supported": without("id_token_signing_alg_values_supported"),
  "a key without kid": changeKeys((key) => ({ ...key, kid: undefined })),
  "use enc": changeKeys((key) => ({ ...key, use: "enc" })),
  "only x5c": changeKeys(({ n: _, e: __, ...key }) => ({
    ...key,
    x5c: [CERTIFICATE_OF_ANOTHER_KEY],
  })),
  "x5c of another key": changeKeys((key) => ({ ...key, x5c: [CERTIFICATE_OF_ANOTHER_KEY] })),
  "101 RSA keys": changeKeys((key) => [
    ...Array.from({ length: 100 }, (_, kid) => ({ ...key, kid: `${kid}` })),
    key,
  ]),
};

/** STS calls until the issuer check is certain, when checks run at the same time. */
async function callsInAdvisory({ check, preflight, clock }: World, token: string, limit = 20) {
  await using sts = await startLocalSts();
  for (let calls = 1; calls <= limit; calls += 1) {
    const checked = check(token);
    const reply = await assumeRole(sts, token);
    if (reply.code === "ok") return { calls, reply };
    expect(reply.message).toMatch(/^Couldn't retrieve verification key/);
    await checked;
    const signal = new AbortController().signal;
    const fresh = preflight.check(token, { signal, fresh: true });
    await clock.advance(1_000);
    if (firstFatal((await fresh).findings)) return { calls, reply };
  }
  return { calls: limit };
}

/** The number of STS calls until the issuer check, which runs before each, is certain. */
async function callsInStrict({ preflight, clock }: World, token: string, limit = 20) {
  await using sts = await startLocalSts();
  for (let calls = 0; calls < limit; calls += 1) {
    const signal = new AbortController().signal;
    const checking = preflight.check(token, { signal, fresh: calls > 0 });
    if (calls > 0) await clock.advance(1_000);
    if (firstFatal((await checking).findings)) return calls;
    await assumeRole(sts, token);
  }
  return limit;
}

for (const [fault, make] of Object.entries(PERMANENT)) {
  test(`the provider makes one STS call in advisory mode, and none in strict mode, for ${fault}`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken();
    make(idp);
    expect((await callsInAdvisory(checkWorld(), token)).calls).toBe(1);
    expect(await callsInStrict(checkWorld(), token)).toBe(0);
  });
}

test("the provider stops for a token without a kid if there are several keys", async () => {
  await using idp = await startLocalIdp();
  await idp.addKey();
  const token = await idp.issueToken({ header: { kid: undefined } });
  expect((await callsInAdvisory(checkWorld(), token)).calls).toBe(1);
  expect(await callsInStrict(checkWorld(), token)).toBe(0);
});

test("the provider stops after one STS call for a missing kid, because it waits for the second fetch", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect((await callsInAdvisory(checkWorld(), token)).calls).toBe(1);
  expect(await callsInStrict(checkWorld(), token)).toBe(1);
});

test("the provider stops after two STS calls for a key that the cached JWKS does not have", async () => {
  await using idp = await startLocalIdp();
  const world = checkWorld();
  await world.check(await idp.issueToken());
  await world.clock.advance(60_000);
  await idp.rotateKeys({ publish: false });
  const { calls } = await callsInAdvisory(world, await idp.issueToken());
  expect(calls).toBeLessThanOrEqual(2);
});

test("the provider retries until the issuer no longer limits the rate", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "rate-limit", times: 9 });
  const { calls, reply } = await callsInAdvisory(checkWorld(), await idp.issueToken());
  expect(reply?.code).toBe("ok");
  expect(calls).toBeGreaterThan(5);
});
