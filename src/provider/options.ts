import type { STSClientConfig } from "@aws-sdk/client-sts";
import type { Logger } from "@smithy/types";
import type { WindowOptions } from "../credentials/refresh-timing.js";
import type { CredentialStore } from "../model/credential-store.js";
import type { WebIdentityEvent } from "../model/events.js";
import type { PreflightSettings } from "../preflight/settings.js";
import type { RetryOptions } from "../retry/retry-loop.js";
import type { AssumeRoleInput } from "../sts/assume-role.js";
import type { AttributedCredentials } from "../sts/credentials.js";
import type { CallerClientConfig, ClientPlugin } from "../sts/target.js";

/** Whether and when the issuer's documents are looked at; see `preflight`. */
export type PreflightMode = "advisory" | "strict" | "off";

/** The pre-flight's options, for more than its mode. */
export interface PreflightOptions extends PreflightSettings {
  /** @default "advisory"; "off" with `validateToken: false` */
  readonly mode?: PreflightMode | undefined;
  /** Audiences that are fine besides `sts.amazonaws.com`: no `token-audience-unexpected` for them. */
  readonly audiences?: readonly string[] | undefined;
}

/** When credentials are refreshed. */
export interface RefreshOptions extends WindowOptions {
  /**
   * Refresh when it is due even if nobody asks for credentials. Switch it off where the process is
   * frozen between calls (Lambda). The timer never keeps the process alive.
   * @default true
   */
  readonly aheadOfTime?: boolean | undefined;
}

/** What makes these providers resilient. Every option has a default that serves. */
export interface ResilienceOptions {
  /**
   * When and how long a failed attempt is tried again: equal jitter under one deadline.
   * @default as many attempts as fit into 60 s (25 at most), with waits of 250 to 500 ms at first and
   * 2 to 4 s at last
   */
  readonly retry?:
    | { readonly [Name in keyof RetryOptions]?: RetryOptions[Name] | undefined }
    | undefined;
  /**
   * Limit of one STS call and of one token read, in milliseconds; 100 to 300,000.
   * STS itself waits 5 s for the identity provider. With `failoverRegions` a call takes no more than
   * half of `retry.budgetMs` (1 s at least), so that there is time for the next region.
   * @default 10000
   */
  readonly attemptTimeoutMs?: number | undefined;
  /**
   * Regions to ask when the first does not answer, in this order and of the same partition.
   * @default none
   */
  readonly failoverRegions?: readonly string[] | undefined;
  /**
   * Ask the next region beside the first when that has not answered after so many milliseconds; 10
   * to 60,000, and less than `attemptTimeoutMs`. The first answer counts. Needs `failoverRegions`.
   * @default never
   */
  readonly hedgeAfterMs?: number | undefined;
  /**
   * Region whose STS is asked, unless `clientConfig.region` says otherwise.
   * Any name that the SDK's own clients accept: FIPS names (`fips-us-east-1`), pseudo regions
   * (`aws-global`), and names that AWS does not have, whose STS host then can't be resolved.
   * @default that of `parentClientConfig`, the calling client's, AWS_REGION, AWS_DEFAULT_REGION, the
   * profile's, us-east-1
   */
  readonly region?: string | undefined;
  /**
   * The look at what the token's issuer publishes: `"advisory"` after a failure that is about the
   * key or the token, and beside a call that STS has not answered for 1 s, adding no time to it;
   * `"strict"` before the call, so that a token that cannot work costs none; `"off"` never.
   * @default "advisory"; "off" with `validateToken: false`
   */
  readonly preflight?: PreflightMode | PreflightOptions | undefined;
  /** How early credentials are refreshed. */
  readonly refresh?: RefreshOptions | undefined;
  /**
   * Go on with expired credentials when they cannot be refreshed, instead of rejecting.
   * @default false
   */
  readonly serveExpired?: boolean | undefined;
  /**
   * Retry AccessDenied: a role or provider made seconds ago answers so for 4 to 12 s.
   * @default false
   */
  readonly retryAccessDenied?: boolean | undefined;
  /**
   * Check the token here before it is sent. Off only for emulators that take any string.
   * @default true
   */
  readonly validateToken?: boolean | undefined;
  /**
   * Shares credentials with other processes of the same role and subject, so that one of them refreshes
   * for all: `fileStore()` or `redisStore()` of `resilient-sts/stores`. An operation has 250 ms; a store
   * that fails is left alone for 30 to 60 s, and STS is asked as without one. A caller without valid
   * credentials waits for another process's refresh for 5 s at most.
   *
   * It has no effect with `providerId`, `roleAssumerWithWebIdentity`, `clientPlugins`,
   * `validateToken: false`, or an endpoint that is not a text: then it isn't known who would get the same.
   * @default none
   */
  readonly store?: CredentialStore | undefined;
  /**
   * Called with every event; what it throws goes to the logger. Like the token source, the logger and
   * the request handler, it runs in no caller's `AsyncLocalStorage` context: a refresh serves them all.
   */
  readonly onEvent?: ((event: WebIdentityEvent) => void) | undefined;
  /** Ends the provider's life: like `close()`, but waiting callers get the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The fields of the SDK's own init that all three factories share, with the SDK's meaning. */
export interface WebIdentityInit extends ResilienceOptions {
  /**
   * Name of the role session; 2 to 64 letters, digits or `_+=,.@-`.
   * @default AWS_ROLE_SESSION_NAME (`fromTokenFile` alone), else `aws-sdk-js-session-` and the time in
   * milliseconds
   */
  readonly roleSessionName?: string | undefined;
  /**
   * Length of the session in seconds; 900 to 43,200, and no more than the role's maximum.
   * @default 3600, by STS
   */
  readonly durationSeconds?: number | undefined;
  /** An inline session policy: JSON, at most 2,048 characters. */
  readonly policy?: string | undefined;
  /** Managed session policies, at most 10. */
  readonly policyArns?: { arn?: string }[] | undefined;
  /** Only for OAuth 2.0 access tokens (`www.amazon.com`, `graph.facebook.com`), never for OIDC. */
  readonly providerId?: string | undefined;
  /** Options of the STS client. `maxAttempts` and `retryStrategy` have no effect: see `retry`. */
  readonly clientConfig?: STSClientConfig | undefined;
  /** Middleware plugins of the STS client. */
  readonly clientPlugins?: ClientPlugin[] | undefined;
  /** Stands in for the STS client. It is bounded by `attemptTimeoutMs` and retried as STS is. */
  readonly roleAssumerWithWebIdentity?:
    | ((input: AssumeRoleInput) => Promise<AttributedCredentials>)
    | undefined;
  /** Config of the client that the credentials are for; wins over the one the SDK hands over. */
  readonly parentClientConfig?: CallerClientConfig | undefined;
  /** Told what happens, never a token or a secret. */
  readonly logger?: Logger | undefined;
}

/** Every resilience option with its value. */
export interface ResolvedOptions {
  readonly retry: RetryOptions;
  readonly attemptTimeoutMs: number;
  readonly failoverRegions: readonly string[];
  readonly hedgeAfterMs: number | undefined;
  readonly preflight: PreflightOptions & { readonly mode: PreflightMode };
  readonly refresh: RefreshOptions & { readonly aheadOfTime: boolean };
  readonly serveExpired: boolean;
  readonly retryAccessDenied: boolean;
  readonly validateToken: boolean;
}

export const DEFAULTS: ResolvedOptions = {
  retry: { maxAttempts: 25, baseDelayMs: 500, maxDelayMs: 4_000, budgetMs: 60_000 },
  attemptTimeoutMs: 10_000,
  failoverRegions: [],
  hedgeAfterMs: undefined,
  preflight: { mode: "advisory" },
  refresh: { aheadOfTime: true },
  serveExpired: false,
  retryAccessDenied: false,
  validateToken: true,
};
