import { generateKeyPairSync } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { AdapterPayload, Configuration, JWK } from "oidc-provider";
import type { TokenSourceContext } from "../../src/index.js";
import { importOidcProvider } from "./known-noise.js";

const LOOPBACK = "127.0.0.1";
const AUDIENCE = "sts.amazonaws.com";
const TOKEN_LIFETIME_SECONDS = 600;
const CLIENT = { id: "checkout", secret: "not-a-secret-outside-of-this-demo" };

/** How the issuer responds to requests for its keys. */
export type Condition = "responds" | "returns 429" | "is down";

/** `oidc-provider`, whose public listener can fail on demand. */
export interface Issuer extends AsyncDisposable {
  /** The issuer URL, which tokens contain as `iss`. */
  readonly url: string;
  readonly condition: Condition;
  /** Requests a token from the token endpoint, over HTTP. */
  mintToken(context?: Partial<TokenSourceContext>): Promise<string>;
  rateLimit(): void;
  goDown(): Promise<void>;
  comeBack(): Promise<void>;
}

/**
 * Starts the issuer with two listeners, as in an EKS cluster: the public one serves discovery and
 * keys to STS, the inner one issues tokens. Only the public one fails, so the workload always has a
 * token, and STS can't verify it.
 */
export async function startIssuer(): Promise<Issuer> {
  const front = createServer();
  const url = `http://${LOOPBACK}:${await listenOutsideEphemeralPorts(front)}`;
  const respond = await oidcServer(url);
  const inner = createServer(respond);
  inner.listen(0, LOOPBACK);
  await listening(inner);
  const tokenUrl = `http://${LOOPBACK}:${portOf(inner)}/token`;

  let condition: Condition = "responds";
  front.on("request", (request, response) => {
    if (condition === "responds") respond(request, response);
    else response.writeHead(429, { "content-type": "text/plain" }).end("slow down\n");
  });
  const port = portOf(front);
  const stop = async () => {
    await Promise.all([stopListening(front), stopListening(inner)]);
  };

  return {
    url,
    get condition() {
      return condition;
    },
    mintToken: ({ signal } = {}) => requestToken(tokenUrl, signal),
    rateLimit() {
      condition = "returns 429";
    },
    async goDown() {
      condition = "is down";
      await stopListening(front);
    },
    async comeBack() {
      front.listen(port, LOOPBACK);
      await listening(front);
      condition = "responds";
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function oidcServer(url: string): Promise<RequestListener> {
  const { Provider } = await importOidcProvider();
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = {
    ...privateKey.export({ format: "jwk" }),
    kid: "demo-key",
    alg: "RS256",
    use: "sig",
  } as JWK;
  const configuration: Configuration = {
    adapter: () => NOTHING_STORED,
    jwks: { keys: [key] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    ttl: { ClientCredentials: TOKEN_LIFETIME_SECONDS },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => `https://${AUDIENCE}`,
        getResourceServerInfo: () => ({
          scope: "",
          audience: AUDIENCE,
          accessTokenTTL: TOKEN_LIFETIME_SECONDS,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (_context, _token, { payload }) => {
          payload.sub = "system:serviceaccount:shop:checkout";
        },
      },
    },
  };
  return new Provider(url, configuration).callback();
}

/** Stores nothing: the server issues JWTs, which contain everything. */
const NOTHING_STORED = {
  upsert: async () => {},
  find: async (): Promise<AdapterPayload | undefined> => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
};

async function requestToken(tokenUrl: string, signal?: AbortSignal): Promise<string> {
  const basic = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64");
  const response = await fetch(tokenUrl, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    signal: signal ?? null,
  });
  if (!response.ok) throw new Error(`the token endpoint returned ${response.status}`);
  const { access_token: token } = (await response.json()) as { access_token: string };
  return token;
}

/**
 * The server closes its port for some seconds and opens it again. Meanwhile the port must stay free, so
 * it is outside the range from which the system assigns ports.
 */
async function listenOutsideEphemeralPorts(server: Server): Promise<number> {
  for (let triesLeft = 20; ; triesLeft -= 1) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      server.listen(port, LOOPBACK);
      await listening(server);
      return port;
    } catch (error) {
      if (triesLeft === 0) throw error;
    }
  }
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = () => {
      server.off("error", onError);
      resolve();
    };
    const onError = (error: Error) => {
      server.off("listening", onListening);
      reject(error);
    };
    server.once("listening", onListening).once("error", onError);
  });
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
