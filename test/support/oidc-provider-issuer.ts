import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

const CLIENT = { id: "workload", secret: "a-secret-of-this-test" };

/** An issuer that mints tokens for one workload. */
export interface Issuer extends AsyncDisposable {
  readonly issuer: string;
  /** Gets a token as a workload would: over HTTP, with its client credentials. */
  mint(): Promise<string>;
}

/** The certified OpenID Connect server `oidc-provider`, with JWT access tokens for STS. */
export async function startOidcProvider(subject: string): Promise<Issuer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
    ttl: { ClientCredentials: 600 },
    cookies: { keys: ["not used"] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "https://sts.amazonaws.com",
        getResourceServerInfo: () => ({
          scope: "",
          audience: "sts.amazonaws.com",
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt(_context, _token, parts) {
          parts.payload.sub = subject;
        },
      },
    },
  });
  server.on("request", provider.callback());
  return {
    issuer,
    mint: () => mintWithClientCredentials(`${issuer}/token`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** RFC 6749, section 4.4. */
export async function mintWithClientCredentials(url: string): Promise<string> {
  const basic = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64");
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return (body as { access_token: string }).access_token;
}
