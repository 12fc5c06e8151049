import { decodeProtectedHeader } from "jose/decode/protected_header";
import { createLocalJWKSet } from "jose/jwks/local";
import { decodeJwt } from "jose/jwt/decode";
import { jwtVerify } from "jose/jwt/verify";
import { describe, expect, test } from "vitest";
import { type LocalIdp, type SigningAlgorithm, startLocalIdp } from "../../../src/testing/index.js";

const startIdp = (options = {}) => startLocalIdp({ algorithm: "ES256", ...options });

async function getJson(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

function kids(idp: LocalIdp): string[] {
  return (JSON.parse(idp.jwksText) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

describe("the documents of the local IdP", () => {
  test.each([
    ["", ""],
    ["/", ""],
    ["/realms/acme", "/realms/acme"],
    ["/oauth2/default/", "/oauth2/default"],
  ])("are below an issuer with the path %j", async (path, base) => {
    await using idp = await startIdp({ path });
    const origin = `http://127.0.0.1:${idp.port}`;
    expect(idp.issuer).toBe(origin + path);
    expect(idp.discoveryUrl).toBe(`${origin}${base}/.well-known/openid-configuration`);
    const discovery = await getJson(idp.discoveryUrl);
    expect(discovery.issuer).toBe(idp.issuer);
    expect(discovery.jwks_uri).toBe(idp.jwksUrl);
    expect(discovery.id_token_signing_alg_values_supported).toEqual(["ES256"]);
    const jwks = await getJson(idp.jwksUrl);
    expect(jwks).toEqual(JSON.parse(idp.jwksText));
    expect(idp.jwksText).not.toContain('"d":');
  });

  test("can be replaced, and become correct again", async () => {
    await using idp = await startIdp();
    const right = idp.discoveryText;
    idp.setDiscovery((document) => ({ ...document, issuer: "https://other", jwks_uri: undefined }));
    expect(await getJson(idp.discoveryUrl)).toMatchObject({ issuer: "https://other" });
    expect(idp.discoveryText).not.toContain("jwks_uri");
    idp.setDiscovery({ only: "this" });
    expect(idp.discoveryText).toBe('{"only":"this"}');
    idp.setDiscovery("<not json>");
    expect(idp.discoveryText).toBe("<not json>");
    idp.setDiscovery();
    expect(idp.discoveryText).toBe(right);
    idp.setJwks({ keys: [] });
    expect(await getJson(idp.jwksUrl)).toEqual({ keys: [] });
    idp.setJwks();
    expect(kids(idp)).toEqual([idp.kid]);
  });

  test("are cacheable, and revalidate by ETag until they change", async () => {
    await using idp = await startIdp();
    const first = await fetch(idp.jwksUrl);
    expect(first.headers.get("cache-control")).toBe("public, max-age=3600");
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    expect((await fetch(idp.jwksUrl, { headers })).status).toBe(304);
    await idp.rotateKeys();
    expect((await fetch(idp.jwksUrl, { headers })).status).toBe(200);
  });

  test("have the headers that are set", async () => {
    await using idp = await startIdp({ headers: { pragma: "no-cache" } });
    idp.setHeaders({ "Cache-Control": null, ETag: null });
    const { headers } = await fetch(idp.discoveryUrl);
    expect(headers.get("pragma")).toBe("no-cache");
    expect(headers.get("cache-control")).toBeNull();
    expect(headers.get("etag")).toBeNull();
    idp.setHeaders({ "Cache-Control": "no-store" });
    const again = await fetch(idp.discoveryUrl);
    expect(again.headers.get("cache-control")).toBe("no-store");
  });

  test("are counted, and every other path is a 404", async () => {
    await using idp = await startIdp({ path: "/x", now: () => 1_700_000_000_000 });
    await fetch(idp.jwksUrl);
    await fetch(idp.jwksUrl);
    await fetch(idp.discoveryUrl);
    expect((await fetch(`${idp.issuer}/other`)).status).toBe(404);
    expect(idp.counts).toEqual({ discovery: 1, jwks: 2 });
    expect(idp.requests.map(({ path }) => path)).toEqual([
      "/x/jwks",
      "/x/jwks",
      "/x/.well-known/openid-configuration",
      "/x/other",
    ]);
    expect(idp.requests[0]).toMatchObject({ at: 1_700_000_000_000, document: "jwks" });
    idp.resetRequests();
    expect(idp.counts).toEqual({ discovery: 0, jwks: 0 });
  });

  test("need a path that starts with a slash", async () => {
    await expect(startIdp({ path: "realms" })).rejects.toThrow(TypeError);
  });
});

describe("the tokens of the local IdP", () => {
  test.each<SigningAlgorithm>(["RS256", "ES256", "ES384", "ES512"])(
    "that %s signs verify with the published key",
    async (algorithm) => {
      await using idp = await startLocalIdp({ algorithm });
      const token = await idp.issueToken({ subject: "me", audience: ["a"], expiresInSeconds: 60 });
      const { payload, protectedHeader } = await jwtVerify(
        token,
        createLocalJWKSet(JSON.parse(idp.jwksText)),
        { issuer: idp.issuer, audience: "a" },
      );
      expect(protectedHeader).toEqual({ alg: algorithm, typ: "JWT", kid: idp.kid });
      expect(payload.sub).toBe("me");
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    },
  );

  test("have the claims of an STS token by default", async () => {
    await using idp = await startIdp({ now: () => 1_700_000_000_999 });
    expect(decodeJwt(await idp.issueToken())).toEqual({
      iss: idp.issuer,
      sub: "test-subject",
      aud: "sts.amazonaws.com",
      iat: 1_700_000_000,
      exp: 1_700_003_600,
    });
  });

  test("leave out a claim that is undefined, and send one that is null", async () => {
    await using idp = await startIdp();
    const token = await idp.issueToken({
      claims: { iss: undefined, sub: null, extra: 1 },
      header: { kid: undefined, crit: ["b64"] },
    });
    const claims = decodeJwt(token);
    expect(claims).not.toHaveProperty("iss");
    expect(claims).toMatchObject({ sub: null, extra: 1 });
    expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", typ: "JWT", crit: ["b64"] });
  });

  test("do not verify with a broken signature", async () => {
    await using idp = await startIdp();
    const token = await idp.issueToken({ breakSignature: true });
    const keys = createLocalJWKSet(JSON.parse(idp.jwksText));
    await expect(jwtVerify(token, keys)).rejects.toMatchObject({
      code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    });
  });

  test("need a key of the IdP that can sign with the algorithm", async () => {
    await using idp = await startIdp();
    await expect(idp.issueToken({ key: "unknown" })).rejects.toThrow(TypeError);
    await expect(idp.issueToken({ algorithm: "RS256" })).rejects.toThrow(TypeError);
  });
});

describe("the keys of the local IdP", () => {
  test("rotate while the old ones stay published", async () => {
    await using idp = await startIdp({ kid: "first" });
    await idp.rotateKeys({ kid: "second" });
    expect(idp.kid).toBe("second");
    expect(kids(idp)).toEqual(["first", "second"]);
  });

  test("rotate and leave the old ones out of the JWKS, which can still sign", async () => {
    await using idp = await startIdp({ kid: "first" });
    await idp.rotateKeys({ kid: "second", keepOldKeys: false });
    expect(kids(idp)).toEqual(["second"]);
    const token = await idp.issueToken({ key: "first" });
    expect(decodeProtectedHeader(token).kid).toBe("first");
  });

  test("sign before they are published", async () => {
    await using idp = await startIdp({ kid: "first" });
    const kid = await idp.rotateKeys({ publish: false });
    expect(decodeProtectedHeader(await idp.issueToken()).kid).toBe(kid);
    expect(kids(idp)).toEqual(["first"]);
    idp.publishKey(kid);
    expect(kids(idp)).toEqual(["first", kid]);
  });

  test("can be added without a change of the current one", async () => {
    await using idp = await startIdp({ kid: "first" });
    await idp.addKey({ kid: "other", algorithm: "ES384" });
    expect(idp.kid).toBe("first");
    expect(JSON.parse(idp.discoveryText)).toMatchObject({
      id_token_signing_alg_values_supported: ["ES256", "ES384"],
    });
  });
});
