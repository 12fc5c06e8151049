import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  azureManagedIdentity,
  clientCredentials,
  fly,
  githubActions,
  googleMetadata,
  type KubernetesTokenRequestInit,
  kubernetesTokenRequest,
  type PlatformTokenSource,
  vercel,
} from "../../src/token-sources/index.js";
import { createCertificateAuthority } from "../support/certificate-authority.js";
import { makeToken } from "../support/make-token.js";
import {
  type PlatformResponse,
  type PlatformServer,
  startPlatform,
} from "../support/platform-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";

export const TOKEN = makeToken();
export const SECRET = "s3cret/of+this=test";

interface CallOptions {
  readonly audience?: string;
  readonly timeoutMs?: number;
}

/** A platform on a local server, and the source that calls it. */
export interface Platform extends AsyncDisposable {
  readonly server: PlatformServer;
  source(options?: CallOptions): PlatformTokenSource;
}

export interface PlatformRow {
  /** Its response to a correct request. */
  readonly good: PlatformResponse;
  /** The statuses of its temporary and of its permanent refusals. */
  readonly passing: readonly number[];
  readonly permanent: readonly number[];
  /** Reads the audience from a request. */
  readonly audienceOf: (request: { readonly line: string; readonly body: string }) => string | null;
  readonly start: () => Promise<Platform>;
}

const json = (value: unknown): PlatformResponse => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
const query = (name: string) => (request: { readonly line: string }) =>
  new URL(request.line.split(" ")[1] ?? "", "http://host").searchParams.get(name);

/** A source that reads the address of its server from the environment. */
async function byEnvironment(
  good: PlatformResponse,
  create: (url: string, options: CallOptions) => PlatformTokenSource,
): Promise<Platform> {
  const server = await startPlatform(good);
  return {
    server,
    source: (options = {}) => create(server.url, options),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const GITHUB = json({ count: 1, value: TOKEN });
const AZURE = json({ access_token: TOKEN, expires_in: "86399", token_type: "Bearer" });
const GOOGLE = {
  headers: { "metadata-flavor": "Google", "content-type": "text/html" },
  body: TOKEN,
};
const KUBERNETES = { ...json({ kind: "TokenRequest", status: { token: TOKEN } }), status: 201 };
const FLY = { headers: { "content-type": "text/plain" }, body: TOKEN };
const VERCEL = json({ token: TOKEN });
const OAUTH = json({ access_token: TOKEN, token_type: "Bearer", expires_in: 600 });

const AZURE_FAULTS = { passing: [404, 410, 429, 500, 503], permanent: [400, 401, 403] };
const OTHER_FAULTS = { passing: [408, 429, 500, 502, 503], permanent: [400, 401, 403, 404, 410] };

/** Every source that makes HTTP requests. */
export const HTTP_PLATFORMS = {
  githubActions: {
    good: GITHUB,
    ...OTHER_FAULTS,
    audienceOf: query("audience"),
    start: () =>
      byEnvironment(GITHUB, (url, options) =>
        githubActions({
          ...options,
          env: {
            ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/idtoken/1/2?api-version=2.0`,
            ACTIONS_ID_TOKEN_REQUEST_TOKEN: SECRET,
          },
        }),
      ),
  },
  googleMetadata: {
    good: GOOGLE,
    passing: [404, 429, 500, 503],
    permanent: [400, 401, 403, 410],
    audienceOf: query("audience"),
    start: () =>
      byEnvironment(GOOGLE, (url, options) =>
        googleMetadata({ ...options, env: { GCE_METADATA_HOST: new URL(url).host } }),
      ),
  },
  "azureManagedIdentity (App Service)": {
    good: AZURE,
    ...AZURE_FAULTS,
    audienceOf: query("resource"),
    start: () =>
      byEnvironment(AZURE, (url, { audience = "api://aws", ...options }) =>
        azureManagedIdentity({
          ...{ audience, ...options },
          env: { IDENTITY_ENDPOINT: `${url}/msi/token`, IDENTITY_HEADER: SECRET },
        }),
      ),
  },
  "azureManagedIdentity (IMDS)": {
    good: AZURE,
    ...AZURE_FAULTS,
    audienceOf: query("resource"),
    start: () =>
      byEnvironment(AZURE, (url, { audience = "api://aws", ...options }) =>
        azureManagedIdentity({
          ...{ audience, ...options },
          env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: url },
        }),
      ),
  },
  vercel: {
    good: VERCEL,
    ...OTHER_FAULTS,
    audienceOf: ({ body }) => (JSON.parse(body) as { aud: string }).aud,
    start: () =>
      byEnvironment(VERCEL, (url, { audience = "sts.amazonaws.com", ...options }) =>
        vercel({
          ...{ audience, ...options },
          exchangeUrl: `${url}/~token`,
          env: { VERCEL_OIDC_TOKEN: SECRET },
        }),
      ),
  },
  fly: {
    good: FLY,
    ...OTHER_FAULTS,
    audienceOf: ({ body }) => (JSON.parse(body) as { aud: string }).aud,
    async start() {
      const folder = temporaryFolder();
      const socketPath = join(folder.path, "api");
      const server = await startPlatform(FLY, { socketPath });
      return {
        server,
        source: (options = {}) => fly({ ...options, socketPath, env: { FLY_MACHINE_ID: "1" } }),
        async [Symbol.asyncDispose]() {
          await server.close();
          folder[Symbol.dispose]();
        },
      };
    },
  },
  kubernetesTokenRequest: {
    good: KUBERNETES,
    ...OTHER_FAULTS,
    audienceOf: ({ body }) =>
      (JSON.parse(body) as { spec: { audiences: string[] } }).spec.audiences.join(),
    async start() {
      const authority = createCertificateAuthority();
      const pod = temporaryFolder();
      writePod(pod.path, authority.ca);
      const server = await startPlatform(KUBERNETES, { tls: authority.chain() });
      const { hostname, port } = new URL(server.url);
      const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
      return {
        server,
        source: (options: KubernetesTokenRequestInit = {}) =>
          kubernetesTokenRequest({ folder: pod.path, env, ...options }),
        async [Symbol.asyncDispose]() {
          await server.close();
          pod[Symbol.dispose]();
          authority[Symbol.dispose]();
        },
      };
    },
  },
  clientCredentials: {
    good: OAUTH,
    ...OTHER_FAULTS,
    audienceOf: ({ body }) => new URLSearchParams(body).get("audience"),
    async start() {
      const server = await startPlatform(OAUTH);
      const issuer = await startPlatform((response) => {
        response.end(JSON.stringify({ issuer: issuer.url, token_endpoint: `${server.url}/token` }));
      });
      return {
        server,
        source: (options = {}) =>
          clientCredentials({
            ...options,
            issuer: issuer.url,
            clientId: "checkout",
            clientSecret: SECRET,
          }),
        async [Symbol.asyncDispose]() {
          await Promise.all([server.close(), issuer.close()]);
        },
      };
    },
  },
} satisfies Readonly<Record<string, PlatformRow>>;

/** Writes the files that the kubelet mounts into a pod. */
function writePod(folder: string, ca: Buffer): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "ca.crt"), ca);
  writeFileSync(join(folder, "namespace"), "shop");
  writeFileSync(join(folder, "token"), POD_TOKEN);
}

export const POD_TOKEN = makeToken({
  iss: "https://kubernetes.default.svc",
  sub: "system:serviceaccount:shop:checkout",
  aud: ["https://kubernetes.default.svc"],
});
