import { systemClock } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { readField } from "../runtime/redact.js";
import { fromFile } from "../runtime/token-file.js";
import { type ResponseRules, requestText, type TokenRequest, tokenIn } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  parseUrl,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link vercel}. */
export interface VercelInit extends TokenSourceInit {
  /**
   * The token's `aud`. Vercel exchanges the request's token for one with this audience, at
   * `https://oidc.vercel.com/~token`.
   * @default no exchange: https://vercel.com/TEAM
   */
  readonly audience?: string | undefined;
  /** The URL of the token exchange. @default "https://oidc.vercel.com/~token" */
  readonly exchangeUrl?: string | undefined;
}

const EXCHANGE_URL = "https://oidc.vercel.com/~token";

/**
 * The token of a Vercel function's request, or of a build. Every request has a new one.
 *
 * Optional variables: `VERCEL_OIDC_TOKEN` (builds, `vercel env pull`) and `VERCEL_OIDC_TOKEN_FILE`, for
 * code that runs outside of a request. Functions are frozen between requests: set the provider's
 * `refresh: { aheadOfTime: false }`. A getter of your own, such as `getVercelOidcToken` of
 * `@vercel/oidc`, is a token source too.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { vercel } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: vercel(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 *   refresh: { aheadOfTime: false },
 * });
 * ```
 */
export function vercel(init: VercelInit = {}): PlatformTokenSource {
  checkInit("vercel", init, ["audience", "exchangeUrl"]);
  const { audience, exchangeUrl = EXCHANGE_URL } = init;
  const url = parseUrl(exchangeUrl, "exchangeUrl");
  return defineSource({
    name: "vercel",
    renewable: true,
    init,
    async mint(signal, env) {
      const token = await ownToken(signal, env);
      if (audience === undefined) return token;
      const options: TokenRequest = {
        service: "Vercel's token exchange",
        method: "POST",
        url,
        signal,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ token, aud: audience }),
        secrets: [token],
        whenUnreachable: `Network: let the function reach ${url.host}.`,
      };
      return tokenIn(await requestText(options, EXCHANGE_RULES), ["token"], options);
    },
  });
}

const EXCHANGE_RULES: ResponseRules = {
  hintFor: (status) =>
    status === 429 || status >= 500
      ? "Vercel: this is usually temporary; if it persists, see vercel-status.com."
      : "Workload: check the audience; leave it out to use the token as it is, with the audience https://vercel.com/TEAM.",
};

async function ownToken(signal: AbortSignal, env: Environment): Promise<string> {
  const token = requestToken() ?? readVariable(env, "VERCEL_OIDC_TOKEN");
  if (token !== undefined) return token;
  const file = readVariable(env, "VERCEL_OIDC_TOKEN_FILE");
  if (file !== undefined) return await fromFile(file, systemClock)({ signal });
  throw notConfigured(
    "this request has no Vercel OIDC token, and neither VERCEL_OIDC_TOKEN nor VERCEL_OIDC_TOKEN_FILE is set",
    "Workload: turn on Secure Backend Access with OIDC Federation in the Vercel project's settings and deploy again; on your own machine, run `vercel env pull`.",
  );
}

/** Where Vercel's runtime keeps the context of a request (`@vercel/functions`, `getContext`). */
const REQUEST_CONTEXT = Symbol.for("@vercel/request-context");

/** Whether this is a request of a Vercel function with a token. */
export function hasVercelRequest(): boolean {
  return requestToken() !== undefined;
}

function requestToken(): string | undefined {
  const runtime = (globalThis as Readonly<Record<symbol, unknown>>)[REQUEST_CONTEXT];
  const get = readField(runtime, "get");
  if (typeof get !== "function") return undefined;
  const headers = readField(get.call(runtime), "headers");
  const token = readField(headers, "x-vercel-oidc-token");
  return typeof token === "string" && token.trim() !== "" ? token : undefined;
}
