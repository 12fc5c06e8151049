import type { STSClientConfig } from "@aws-sdk/client-sts";
import type { Logger } from "@smithy/types";
import type { WindowOptions } from "../credentials/refresh-timing.js";
import type { CredentialStore } from "../model/credential-store.js";
import type { WebIdentityEvent } from "../model/events.js";
import type { TokenSource } from "../model/token-source.js";
import type { PreflightSettings } from "../preflight/run-issuer-check.js";
import type { RetryOptions as CompleteRetryOptions } from "../retry/retry-loop.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import type { AssumeRoleInput, AttributedCredentials } from "../sts/assume-role.js";
import { ClientPool } from "../sts/client-pool.js";
import type { CallerClientConfig, ClientPlugin } from "../sts/target.js";

/*
 * What a provider is created with: the user's options and their defaults, the identity (token and role),
 * and the seams to the machine.
 */

/** When to check the issuer's discovery document and JWKS; see `preflight`. */
export type PreflightMode = "advisory" | "strict" | "off";

/** The options of the issuer check. */
export interface PreflightOptions extends PreflightSettings {
  /**
   * When the issuer is checked, and whether a finding can stop a call.
   * @default "advisory"; "off" with `validateToken: false`
   */
  readonly mode?: PreflightMode | undefined;
  /** Audiences besides `sts.amazonaws.com` that do not cause the finding `token-audience-unexpected`. */
  readonly audiences?: readonly string[] | undefined;
}

/** How long and how often a refresh tries. */
export type RetryOptions = {
  readonly [Name in keyof CompleteRetryOptions]?: CompleteRetryOptions[Name] | undefined;
};

/** When credentials are refreshed. */
export interface RefreshOptions extends WindowOptions {
  /**
   * Whether a refresh that is due starts without a caller. Switch this off where the process is frozen
   * between calls (Lambda). The timer never keeps the process alive.
   * @default true
   */
  readonly aheadOfTime?: boolean | undefined;
}

/** The resilience options. Each of them has a default. */
export interface ResilienceOptions {
  /**
   * How often and how long failed attempts are retried: with equal jitter, under one deadline.
   * @default as many attempts as fit into 60 s (25 at most), with waits of 250 to 500 ms at first and
   * of 2 to 4 s later
   */
  readonly retry?: RetryOptions | undefined;
  /**
   * The limit of one STS call and of one token read, in milliseconds; 100 to 300,000. When it is
   * reached, the attempt fails and may be retried. STS itself waits 5 s for the identity provider. With
   * `failoverRegions`, a call takes no more than half of `retry.budgetMs` (1 s at least), so that there
   * is time for the next region.
   * @default 10000
   */
  readonly attemptTimeoutMs?: number | undefined;
  /**
   * The limit of one caller's wait for a refresh, in milliseconds; 1 or more. When it is reached, the
   * caller gets the cached credentials if they may be served, and otherwise rejects with
   * `ERR_CALLER_TIMEOUT`. The refresh continues until its own deadline (`retry.budgetMs`), and the next
   * caller gets its result. SDK clients do not pass a request's `abortSignal` to the provider.
   * @default none: a caller waits as long as the refresh takes
   */
  readonly callerTimeoutMs?: number | undefined;
  /**
   * The regions to call when the first one fails, in this order; all of the same partition.
   * @default none
   */
  readonly failoverRegions?: readonly string[] | undefined;
  /**
   * When the first region has not responded after this many milliseconds, the provider also calls the next
   * region, and the first response counts. 10 to 60,000, and less than `attemptTimeoutMs`. Requires
   * `failoverRegions`.
   * @default never
   */
  readonly hedgeAfterMs?: number | undefined;
  /**
   * The region of STS, unless `clientConfig.region` is set. Any name that the SDK's own clients accept:
   * FIPS names (`fips-us-east-1`), pseudo regions (`aws-global`), and names that AWS does not use; the
   * host of STS then can't be resolved.
   * @default the first that is set: the region of `parentClientConfig`, of the calling client,
   * AWS_REGION, AWS_DEFAULT_REGION, the region of the profile, us-east-1
   */
  readonly region?: string | undefined;
  /**
   * When to check the issuer's discovery document and JWKS. `"advisory"`: after a failure that concerns
   * the key or the token, and during a call to which STS has not responded within 1 s, without delaying it.
   * `"strict"`: before each call; a token that STS can't verify is not sent. `"off"`: never.
   * @default "advisory"; "off" with `validateToken: false`
   */
  readonly preflight?: PreflightMode | PreflightOptions | undefined;
  /** When credentials are refreshed. */
  readonly refresh?: RefreshOptions | undefined;
  /**
   * Return expired credentials when they can't be refreshed, instead of rejecting.
   * @default false
   */
  readonly serveExpired?: boolean | undefined;
  /**
   * Retry `AccessDenied`: STS returns it for 4 to 12 s after a role or an identity provider was created.
   * @default false
   */
  readonly retryAccessDenied?: boolean | undefined;
  /**
   * Check the token before it is sent. Switch this off only for emulators that accept any string.
   * @default true
   */
  readonly validateToken?: boolean | undefined;
  /**
   * Shares credentials with other processes of the same role and subject, so that one of them refreshes
   * for all: `fileStore()` or `redisStore()` of `resilient-sts/stores`. Each operation of the store
   * may take 250 ms. A store that fails is not used for 30 to 60 s; meanwhile each process calls STS itself. A
   * caller without valid credentials waits for another process's refresh for 5 s at most.
   *
   * It has no effect with `providerId`, `roleAssumerWithWebIdentity`, `clientPlugins`,
   * `validateToken: false`, or an endpoint that is not a string: then it is unknown which processes would
   * get the same credentials.
   * @default none
   */
  readonly store?: CredentialStore | undefined;
  /**
   * Called with every event. An error that it throws goes to the logger. Like the token source, the
   * logger and the request handler, it runs in no caller's `AsyncLocalStorage` context, because a refresh
   * serves all callers.
   */
  readonly onEvent?: ((event: WebIdentityEvent) => void) | undefined;
  /** Closes the provider when it aborts: like `close()`, but waiting callers get the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of the SDK that all three factories share, with the SDK's meaning, and the resilience options. */
export interface WebIdentityInit extends ResilienceOptions {
  /**
   * The name of the role session; 2 to 64 letters, digits or `_+=,.@-`.
   * @default AWS_ROLE_SESSION_NAME (`fromTokenFile` only), or `aws-sdk-js-session-` and the time in
   * milliseconds
   */
  readonly roleSessionName?: string | undefined;
  /**
   * The length of the session in seconds; 900 to 43,200, and no more than the role's maximum.
   * @default 3600, set by STS
   */
  readonly durationSeconds?: number | undefined;
  /** An inline session policy: JSON, at most 2,048 characters. */
  readonly policy?: string | undefined;
  /** Managed session policies, at most 10. */
  readonly policyArns?: { arn?: string }[] | undefined;
  /** Only for OAuth 2.0 access tokens (`www.amazon.com`, `graph.facebook.com`), never for OIDC. */
  readonly providerId?: string | undefined;
  /** The options of the STS client. `maxAttempts` and `retryStrategy` have no effect: see `retry`. */
  readonly clientConfig?: STSClientConfig | undefined;
  /** Middleware plugins of the STS client. */
  readonly clientPlugins?: ClientPlugin[] | undefined;
  /** Replaces the STS client. `attemptTimeoutMs` limits each call, and failures are retried like those of STS. */
  readonly roleAssumerWithWebIdentity?:
    | ((input: AssumeRoleInput) => Promise<AttributedCredentials>)
    | undefined;
  /** The config of the client that uses the credentials. It takes precedence over the one that the SDK passes. */
  readonly parentClientConfig?: CallerClientConfig | undefined;
  /** Gets one line for each event, and never a token or a secret. */
  readonly logger?: Logger | undefined;
}

/** The resilience options with their defaults. */
export interface ResolvedOptions {
  readonly retry: CompleteRetryOptions;
  readonly attemptTimeoutMs: number;
  readonly callerTimeoutMs: number | undefined;
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
  callerTimeoutMs: undefined,
  failoverRegions: [],
  hedgeAfterMs: undefined,
  preflight: { mode: "advisory" },
  refresh: { aheadOfTime: true },
  serveExpired: false,
  retryAccessDenied: false,
  validateToken: true,
};

/** The token and the role of a workload: the only difference between the three factories. */
export interface Identity {
  readonly source: TokenSource;
  /** The name of the source in messages: `the token file /var/run/…`. */
  readonly sourceName: string;
  readonly roleArn: string;
  readonly roleSessionName: string | undefined;
  /** The entries of `$source` that the SDK sets on such credentials. */
  readonly marks: Readonly<Record<string, string>>;
}

/**
 * Resolves the identity for one refresh: the environment may have changed since the last one.
 *
 * @throws WebIdentityError `ERR_NOT_CONFIGURED`
 */
export type IdentityResolver = () => Identity;

/** The seams of a provider to the machine. Tests pass their own. */
export interface Runtime {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly env: Environment;
  readonly pool: ClientPool;
}

const seams = { clock: systemClock, random: Math.random, env: process.env };

/** The runtime of the process. All providers share its pool. */
export const processRuntime: Runtime = { ...seams, pool: new ClientPool(seams) };
