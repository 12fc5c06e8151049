import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeToken } from "../../src/model/jwt.js";
import { type ClientCredentialsInit, clientCredentials } from "../../src/token-sources/index.js";
import { startPlatform } from "../support/platform-server.js";
import { callSource, everythingOf, failureOf } from "./call-source.js";
import { startTlsIssuer, type TlsIssuer } from "./oidc-tls-issuer.js";

let idp: TlsIssuer;
beforeAll(async () => {
  idp = await startTlsIssuer();
});
afterAll(async () => {
  await idp[Symbol.asyncDispose]();
});

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const decoded = decodeToken(token);
  if ("problem" in decoded) throw new Error(decoded.problem);
  return decoded.claims;
}

const init = (more: Partial<ClientCredentialsInit>): ClientCredentialsInit => ({
  issuer: idp.issuer,
  ca: idp.ca,
  clientId: "basic",
  resource: "https://sts.amazonaws.com",
  ...more,
});

describe("clientCredentials, with oidc-provider over TLS with a private CA", () => {
  test.each<[string, () => Partial<ClientCredentialsInit>]>([
    ["client_secret_basic", () => ({ clientSecret: idp.clientSecret })],
    [
      "client_secret_post",
      () => ({
        ...{ clientId: "post", clientSecret: idp.clientSecret },
        authMethod: "client_secret_post" as const,
      }),
    ],
    [
      "private_key_jwt",
      () => ({
        ...{ clientId: "by-key", keyId: "key-1" },
        privateKey: idp.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      }),
    ],
    [
      "private_key_jwt with a key in SEC 1",
      () => ({
        clientId: "by-key",
        privateKey: idp.privateKey.export({ format: "pem", type: "sec1" }).toString(),
      }),
    ],
  ])("returns a JWT for the resource by %s", async (_, more) => {
    const source = clientCredentials(init(more()));
    const claims = claimsOf(await callSource(source));
    expect(claims).toMatchObject({ iss: idp.issuer, aud: "https://sts.amazonaws.com" });
    expect(claims.jti).not.toBe(claimsOf(await callSource(source)).jti);
  });

  test("sends the scope", async () => {
    const clientSecret = idp.clientSecret;
    const token = await callSource(clientCredentials(init({ clientSecret, scope: "deploy" })));
    expect(claimsOf(token).scope).toBe("deploy");
  });

  test.each<[string, Partial<ClientCredentialsInit>, RegExp]>([
    [
      "a wrong secret",
      { clientSecret: "wrong-secret-of-this-test" },
      /returned 401: .*invalid_client/,
    ],
    ["an unknown client", { clientId: "unknown", clientSecret: "x" }, /invalid_client/],
  ])(
    "fails after one attempt with %s, and shows no secret in the error",
    async (_, more, words) => {
      const error = await failureOf(clientCredentials(init(more)));
      expect(error).toMatchObject({ retryable: false });
      expect(error.message).toMatch(words);
      expect(error.hint).toMatch(/^IdP: compare the client's ID, secret or key/);
      expect(everythingOf(error)).not.toContain("wrong-secret-of-this-test");
    },
  );

  test("fails as permanent without the CA of the issuer", async () => {
    const { clientSecret } = idp;
    const error = await failureOf(clientCredentials({ ...init({ clientSecret }), ca: undefined }));
    expect(error).toMatchObject({ retryable: false });
    expect(error.hint).toContain("trust the CA");
  });

  test.each<[string, string]>([
    ["text", "not a key"],
    [
      "a public key",
      generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" }).toString(),
    ],
    [
      "a key on a curve that JWTs do not use",
      generateKeyPairSync("ec", { namedCurve: "secp256k1" })
        .privateKey.export({ format: "pem", type: "pkcs8" })
        .toString(),
    ],
  ])(
    "reports %s in place of the private key as permanent, and does not show it",
    async (_, privateKey) => {
      const error = await failureOf(clientCredentials(init({ clientId: "by-key", privateKey })));
      expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
      expect(everythingOf(error)).not.toContain(privateKey);
    },
  );
});

describe("the discovery document", () => {
  const source = (issuer: string) =>
    clientCredentials({ issuer, clientId: "checkout", clientSecret: "secret" });

  test("is fetched once, and again after a failure", async () => {
    let isDown = true;
    await using server = await startPlatform((response, { line }) => {
      if (line.startsWith("GET")) {
        const { url } = server;
        response.end(JSON.stringify({ issuer: url, token_endpoint: `${url}/token` }));
      } else if (isDown) response.writeHead(503).end();
      else response.end(JSON.stringify({ access_token: "a.b.c", token_type: "bearer" }));
    });
    const minting = source(server.url);
    expect(await failureOf(minting)).toMatchObject({ retryable: true });
    isDown = false;
    await callSource(minting);
    await callSource(minting);
    const lines = server.requests.map(({ line }) => line);
    const discovery = "GET /.well-known/openid-configuration";
    expect(lines).toEqual([discovery, "POST /token", discovery, "POST /token", "POST /token"]);
  });

  test.each<[string, (url: string) => object]>([
    ["of another issuer", () => ({ issuer: "https://other.example.com" })],
    ["without a token endpoint", (url) => ({ issuer: url })],
    [
      "whose token endpoint is not https",
      (url) => ({ issuer: url, token_endpoint: "http://idp.example.com/token" }),
    ],
  ])("%s is permanent, and no secret is sent", async (_, document) => {
    await using server = await startPlatform((response) => {
      response.end(JSON.stringify(document(server.url)));
    });
    expect(await failureOf(source(server.url))).toMatchObject({ retryable: false });
    expect(server.requests).toHaveLength(1);
  });

  test("that is not JSON is retryable", async () => {
    await using server = await startPlatform({ body: "starting" });
    expect(await failureOf(source(server.url))).toMatchObject({ retryable: true });
  });
});

describe("misuse of clientCredentials", () => {
  const good = { issuer: "https://a.example.com", clientId: "a", clientSecret: "b" };

  test.each<[string, object, RegExp]>([
    ["no issuer", { ...good, issuer: undefined }, /`issuer`/],
    ["an http issuer", { ...good, issuer: "http://a.example.com" }, /`issuer` to be an https URL/],
    ["no client", { ...good, clientId: "" }, /`clientId`/],
    ["no secret", { ...good, clientSecret: undefined }, /`clientSecret`/],
    ["no key", { ...good, authMethod: "private_key_jwt" }, /`privateKey`/],
    ["an unknown method", { ...good, authMethod: "mtls" }, /`authMethod`.*private_key_jwt/],
  ])("%s is a TypeError", (_, options, words) => {
    expect(() => clientCredentials(options as ClientCredentialsInit)).toThrow(words);
  });
});
