import type { AuthorizationServer, ClientAuth } from "oauth4webapi";
import { isTokenSourceError, TokenSourceError } from "../model/token-source.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";
import { isLoopbackUrl } from "../runtime/url-host.js";
import { checkString, expected, requireString, word } from "../runtime/validators.js";
import { type ResponseRules, requestText, type TokenRequest } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  type TokenSourceInit,
} from "./source.js";

/** How the client authenticates (RFC 7591, section 2, and OpenID Connect Core, section 9). */
export type ClientAuthMethod = "client_secret_basic" | "client_secret_post" | "private_key_jwt";

/** Init of {@link clientCredentials}. */
export interface ClientCredentialsInit extends TokenSourceInit {
  /** Sent as the parameter `audience`, for servers that choose the token's `aud` by it. @default none */
  readonly audience?: string | undefined;
  /** Sent as the parameter `resource` (RFC 8707). @default none */
  readonly resource?: string | undefined;
  /** Sent as the parameter `scope`. @default none */
  readonly scope?: string | undefined;
  /** The issuer's https URL; its discovery document names the token endpoint. Only a loopback issuer may use http. */
  readonly issuer: string;
  /** The client's ID at the issuer. */
  readonly clientId: string;
  /** Needed for `client_secret_basic` and `client_secret_post`. */
  readonly clientSecret?: string | undefined;
  /** The client's private key in PEM; RSA, P-256, P-384, P-521 or Ed25519. Needed for `private_key_jwt`. */
  readonly privateKey?: string | undefined;
  /** The key's `kid`, in the assertion's header. @default none */
  readonly keyId?: string | undefined;
  /**
   * How the client proves its identity to the token endpoint.
   * @default "private_key_jwt" with `privateKey`, else "client_secret_basic"
   */
  readonly authMethod?: ClientAuthMethod | undefined;
  /** PEM certificates to trust instead of Node's own. @default Node's */
  readonly ca?: string | undefined;
}

const METHODS: readonly string[] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
const TEXTS = ["resource", "scope", "clientSecret", "privateKey", "keyId", "ca"] as const;

/**
 * Access tokens of any OpenID Connect provider by the client credentials grant (RFC 6749, section 4.4).
 * The provider must issue JWTs, and IAM must know it as an OIDC provider.
 *
 * `oauth4webapi` is loaded at the first call and only by this source. No variable is read.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { clientCredentials } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: clientCredentials({
 *     issuer: "https://login.example.com",
 *     clientId: "checkout",
 *     clientSecret: process.env.CLIENT_SECRET ?? "",
 *     resource: "https://sts.amazonaws.com",
 *   }),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function clientCredentials(init: ClientCredentialsInit): PlatformTokenSource {
  const all = ["audience", "issuer", "clientId", "authMethod", ...TEXTS];
  checkInit("clientCredentials", init, all);
  const { issuer, clientId, clientSecret, privateKey, audience, resource, scope } = init;
  requireString("issuer", issuer);
  requireString("clientId", clientId);
  for (const name of TEXTS) checkString(name, init[name]);
  const issuerUrl = checkIssuerUrl(issuer);
  const method = resolveMethod(init);
  const client = { client_id: clientId };
  const parameters = {
    ...(audience !== undefined && { audience }),
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope }),
  };
  const secrets = [
    clientSecret ?? "",
    Buffer.from(`${clientId}:${clientSecret}`).toString("base64"),
    privateKey ?? "",
  ];
  let server: AuthorizationServer | undefined;
  let authentication: ClientAuth | undefined;

  return defineSource({
    name: "clientCredentials",
    renewable: true,
    init,
    async mint(signal) {
      // An error of a library that reads the key may quote a part of it, before any request.
      for (const secret of secrets) rememberSecret(secret);
      const oauth = await import("oauth4webapi");
      const fetch = boundedFetch({
        service: `the issuer ${issuerUrl.host}`,
        ca: init.ca,
        signal,
        secrets,
      });
      const options = {
        [oauth.customFetch]: fetch,
        [oauth.allowInsecureRequests]: isLoopbackUrl(issuerUrl),
      };
      try {
        authentication ??= await createAuthentication(oauth, init, method);
        server ??= await oauth.processDiscoveryResponse(
          issuerUrl,
          await oauth.discoveryRequest(issuerUrl, options),
        );
        const response = await oauth.clientCredentialsGrantRequest(
          server,
          client,
          authentication,
          parameters,
          options,
        );
        const { access_token: token } = await oauth.processClientCredentialsResponse(
          server,
          client,
          response,
        );
        return token;
      } catch (error) {
        // The token endpoint may have moved.
        server = undefined;
        throw isTokenSourceError(error) ? error : asSourceError(error, secrets);
      }
    },
  });
}

function checkIssuerUrl(issuer: string): URL {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackUrl(url))) return url;
  throw expected("issuer", "to be an https URL", issuer);
}

function resolveMethod(init: ClientCredentialsInit): ClientAuthMethod {
  const byDefault = init.privateKey === undefined ? "client_secret_basic" : "private_key_jwt";
  const { authMethod = byDefault } = init;
  if (!METHODS.includes(authMethod)) {
    throw expected("authMethod", `to be one of ${METHODS.join(", ")}`, word(authMethod));
  }
  const needed = authMethod === "private_key_jwt" ? "privateKey" : "clientSecret";
  requireString(needed, init[needed]);
  return authMethod;
}

async function createAuthentication(
  oauth: typeof import("oauth4webapi"),
  { clientSecret = "", privateKey = "", keyId }: ClientCredentialsInit,
  method: ClientAuthMethod,
): Promise<ClientAuth> {
  if (method === "client_secret_basic") return oauth.ClientSecretBasic(clientSecret);
  if (method === "client_secret_post") return oauth.ClientSecretPost(clientSecret);
  const key = await importKey(privateKey);
  return oauth.PrivateKeyJwt(keyId === undefined ? key : { key, kid: keyId });
}

async function importKey(pem: string) {
  const { createPrivateKey, webcrypto } = await import("node:crypto");
  const hint =
    "Workload: pass the client's private key in PEM; RSA, P-256, P-384, P-521 or Ed25519.";
  try {
    const key = createPrivateKey(pem);
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    const curve = CURVES[details?.namedCurve ?? ""];
    const algorithm =
      type === "rsa"
        ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
        : type === "ed25519"
          ? { name: "Ed25519" }
          : { name: "ECDSA", namedCurve: curve ?? "" };
    const der = key.export({ format: "der", type: "pkcs8" });
    return await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch {
    // OpenSSL's message may quote the text.
    throw notConfigured("the private key can't be used", hint);
  }
}

/** The Web Crypto name of each curve, by its OpenSSL name. */
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

const RULES: ResponseRules = {
  hintFor: (status) =>
    status === 429 || status >= 500
      ? "IdP: this is usually temporary; if it persists, find out what limits or stops the token endpoint."
      : "IdP: compare the client's ID, secret or key, its authentication method and its grants with what the workload sends.",
};

interface FetchInit {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

/** `fetch` for oauth4webapi, with our limits and a CA, which oauth4webapi can't set. */
function boundedFetch(fixed: Pick<TokenRequest, "service" | "ca" | "signal" | "secrets">) {
  return async (address: string, { body, headers, method }: FetchInit): Promise<Response> => {
    const url = new URL(address);
    if (url.protocol !== "https:" && !isLoopbackUrl(url)) {
      throw notConfigured(
        `the token endpoint ${safeText(url.host, 200)} is not https`,
        "IdP: publish an https token endpoint.",
      );
    }
    const text = await requestText(
      {
        ...fixed,
        url,
        headers,
        method: method === "POST" ? "POST" : "GET",
        body: body === undefined || body === null ? undefined : String(body),
        whenUnreachable: `Network: let this workload reach ${url.host}.`,
      },
      RULES,
    );
    // Replaces the content type: some servers send JSON as text.
    return new Response(text, { headers: { "content-type": "application/json" } });
  };
}

/** Faults that another attempt can't change: another server, or one that doesn't follow the standard. */
const PERMANENT: readonly unknown[] = [
  "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
  "OAUTH_INVALID_SERVER_METADATA",
  "OAUTH_MISSING_SERVER_METADATA",
  "OAUTH_HTTP_REQUEST_FORBIDDEN",
  "OAUTH_REQUEST_PROTOCOL_FORBIDDEN",
  "OAUTH_UNSUPPORTED_OPERATION",
];

function asSourceError(error: unknown, secrets: readonly string[]): TokenSourceError {
  // The error's causes contain the response, and so the token.
  const { message } = safeCause(error, secrets);
  return new TokenSourceError(`the issuer's response can't be used: ${message}`, {
    retryable: !PERMANENT.includes(readField(error, "code")),
    hint: "IdP: compare the issuer's discovery document and token endpoint with RFC 8414 and RFC 6749, section 5.1.",
  });
}
