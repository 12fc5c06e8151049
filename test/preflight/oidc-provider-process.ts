import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";
import { checkIssuer } from "../../src/preflight/issuer-check.js";

// A process of its own, since Node reads NODE_EXTRA_CA_CERTS when it starts: a certified OIDC server
// over https, a token from it, and what the issuer check says of both.
const [, , keyFile = "", certFile = ""] = process.argv;
const server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) });
await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "workload",
      client_secret: "not-a-secret",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" } as never] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:example:sts",
      getResourceServerInfo: () => ({
        scope: "",
        audience: "sts.amazonaws.com",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});
server.on("request", provider.callback());

const response = await fetch(`${issuer}/token`, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials",
  }),
  headers: {
    authorization: `Basic ${Buffer.from("workload:not-a-secret").toString("base64")}`,
  },
});
const { access_token: token } = (await response.json()) as { access_token: string };
const report = await checkIssuer({ token }, { allowPrivateIssuers: true });
// oidc-provider warns on the same stream.
process.stdout.write(`\n${JSON.stringify(report)}`);
server.close();
server.closeAllConnections();
