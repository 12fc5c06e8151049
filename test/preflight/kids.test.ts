import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkIssuerWith } from "../../src/preflight/issuer-check.js";
import { type LocalIdp, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { assumeRole } from "../support/call-sts.js";
import { checkWorld, found } from "./check-world.js";

type Jwk = Readonly<Record<string, unknown>>;

/** An IdP whose keys have these kids, the first one signing; undefined leaves the member out. */
async function publish(idp: LocalIdp, kids: readonly unknown[]): Promise<void> {
  const [own] = JSON.parse(idp.jwksText).keys as Jwk[];
  const others = await Promise.all(
    kids.slice(1).map(async () => {
      const kid = await idp.addKey({ algorithm: "ES256", publish: true });
      return (JSON.parse(idp.jwksText).keys as Jwk[]).find((key) => key.kid === kid) as Jwk;
    }),
  );
  idp.setJwks({
    keys: [own as Jwk, ...others].map((key, index) => ({ ...key, kid: kids[index] })),
  });
}

async function tried(kid: unknown, kids: readonly unknown[]) {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  await using sts = await startLocalSts();
  await publish(idp, kids);
  const token = await idp.issueToken({ header: { kid } });
  const { runtime, clock } = checkWorld();
  const checking = checkIssuerWith({ token }, { allowPrivateIssuers: true, fresh: false }, runtime);
  await clock.flush();
  const report = await checking;
  const { code } = await assumeRole(sts, token);
  return { found: found(report), granted: code === "ok", keys: report.keys ?? [] };
}

describe("an empty kid", () => {
  test.each([[[""]], [["", "a", "b"]]])(
    "in the token finds the key with an empty kid among %j, here and in the local STS",
    async (kids) => {
      const { found, granted, keys } = await tried("", kids);
      expect(found).toEqual([]);
      expect(granted).toBe(true);
      expect(keys.map(({ kid, matchesToken }) => [kid, matchesToken])).toEqual(
        kids.map((kid) => [kid, kid === ""]),
      );
    },
  );

  test("in the token fails if several keys are published and none of them has it", async () => {
    const { found, granted } = await tried("", ["a", "b"]);
    expect(found).toEqual(["fatal jwks-key-ambiguous"]);
    expect(granted).toBe(false);
  });

  test("in the JWKS does not match a token without a kid among several keys", async () => {
    const { found, granted } = await tried(undefined, ["", "a"]);
    expect(found).toEqual(["fatal jwks-key-ambiguous"]);
    expect(granted).toBe(false);
  });

  test("in the JWKS is no obstacle for a token without a kid if there is only one key", async () => {
    const { found, granted } = await tried(undefined, [""]);
    expect(found).toEqual([]);
    expect(granted).toBe(true);
  });

  test("can be checked without a token, and differs from an absent one", async () => {
    await using idp = await startLocalIdp({ kid: "" });
    const { runtime } = checkWorld();
    const options = { allowPrivateIssuers: true, fresh: false };
    const check = async () =>
      found(await checkIssuerWith({ issuer: idp.issuer, kid: "" }, options, runtime));
    expect(await check()).toEqual([]);
  });
});

describe("a kid that is not a string", () => {
  test.each([null, 1, true])("makes nothing certain in the token: %j", async (kid) => {
    expect((await tried(kid, ["a"])).found).toEqual([]);
    expect((await tried(kid, ["a", "b"])).found).toEqual(["suspect jwks-key-ambiguous"]);
  });

  test.each([null, 1])("is not an absent one in the JWKS: %j", async (kid) => {
    expect((await tried(String(kid), [kid, "a"])).found).toEqual(["suspect jwks-key-unusable"]);
    expect((await tried(String(kid), [kid])).found).toEqual(["suspect jwks-key-unusable"]);
    expect((await tried("a", [kid, "b"])).found).toEqual(["suspect jwks-key-not-found"]);
  });
});

test("the issuer check is never certain about a kid that the local STS accepts, and always reports one that it refuses", async () => {
  const kid = fc.constantFrom<unknown>(undefined, "", null, "a", "b", 1);
  const ofKeys = fc.array(fc.constantFrom<unknown>("", "a", "b"), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(kid, ofKeys, async (wanted, kids) => {
      const result = await tried(wanted, kids);
      const isFatal = result.found.some((each) => each.startsWith("fatal"));
      if (result.granted) expect(isFatal).toBe(false);
      else expect(result.found).not.toEqual([]);
    }),
    { numRuns: 60 },
  );
});
