import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import Provider, { type ClientMetadata } from "oidc-provider";
import { createCertificateAuthority } from "../support/certificate-authority.js";

/** The certified OpenID Connect server `oidc-provider` over TLS with a private CA. */
export interface TlsIssuer extends AsyncDisposable {
  readonly issuer: string;
  readonly ca: string;
  readonly clientSecret: string;
  /** Of the client `by-key`; its `kid` is `key-1`. */
  readonly privateKey: KeyObject;
}

const SECRET = "a+secret/of=this test";

export async function startTlsIssuer(): Promise<TlsIssuer> {
  const authority = createCertificateAuthority();
  const server = createServer(authority.chain());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  const signing = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const base: Omit<ClientMetadata, "client_id"> = {
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  };
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...signing.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
    ttl: { ClientCredentials: 600 },
    cookies: { keys: ["not used"] },
    clients: [
      { ...base, client_id: "basic", client_secret: SECRET },
      {
        ...base,
        client_id: "post",
        client_secret: SECRET,
        token_endpoint_auth_method: "client_secret_post",
      },
      {
        ...base,
        client_id: "by-key",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "key-1", use: "sig" }] },
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "https://default.example.com",
        getResourceServerInfo: (_context, resource) => ({
          scope: "deploy",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
  server.on("request", provider.callback());
  return {
    issuer,
    ca: authority.ca.toString(),
    clientSecret: SECRET,
    privateKey,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      authority[Symbol.dispose]();
    },
  };
}
