import { CredentialCache, type FailureAdvice } from "../credentials/credential-cache.js";
import { isWebIdentityError, WebIdentityError } from "../model/errors.js";
import { ANNOTATE_SERVICE_ACCOUNT } from "../model/jwt.js";
import type { TokenSource } from "../model/token-source.js";
import { readVariable } from "../runtime/environment.js";
import { fromFile } from "../runtime/token-file.js";
import { checkString, requireFunction, requireInit, requireString } from "../runtime/validators.js";
import type { AttributedCredentials } from "../sts/assume-role.js";
import {
  type Identity,
  type IdentityResolver,
  processRuntime,
  type Runtime,
  type WebIdentityInit,
} from "./options.js";
import { ProviderReporter, type Refreshed } from "./provider-reporter.js";
import { Refresher } from "./refresh.js";
import { resolveOptions, takeOptions } from "./validate-options.js";
import type { ProviderProperties, WebIdentityProvider } from "./web-identity-provider.js";

/*
 * The three ways to create a provider, which differ only in where the token and the role come from, and
 * createProvider(), which composes a provider from the other folders: the cache (`src/credentials`) decides
 * when to refresh, `refresh.ts` runs the attempts and uses the store, and `provider-reporter.ts` reports
 * what happens.
 */

/** Init of {@link fromTokenFile}: the SDK's options and the resilience options. */
export interface FromTokenFileInit extends WebIdentityInit {
  /**
   * Path of the file with the OIDC token, which is read for every attempt.
   * @default AWS_WEB_IDENTITY_TOKEN_FILE
   */
  readonly webIdentityTokenFile?: string | undefined;
  /** ARN of the role to assume. @default AWS_ROLE_ARN */
  readonly roleArn?: string | undefined;
}

/**
 * Credentials from the OIDC token in a file. The options or the environment name the file: EKS (IRSA)
 * and other platforms set `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`. A drop-in replacement for
 * the SDK's `fromTokenFile`.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromTokenFile } from "resilient-sts";
 *
 * const s3 = new S3Client({ credentials: fromTokenFile() });
 * ```
 */
export function fromTokenFile(init: FromTokenFileInit = {}): WebIdentityProvider {
  requireInit("fromTokenFile", init);
  const options = takeOptions(init, { token: "fromWebIdentity", webIdentityToken: "fromWebToken" });
  checkString("webIdentityTokenFile", options.webIdentityTokenFile);
  checkString("roleArn", options.roleArn);
  return createProvider(() => tokenFileIdentity(options, processRuntime), options);
}

/** @internal Resolves the identity for each refresh of {@link fromTokenFile}; tests pass their own runtime. */
export function tokenFileIdentity(init: FromTokenFileInit, { env, clock }: Runtime): Identity {
  const fromEnvironment = readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const file = init.webIdentityTokenFile ?? fromEnvironment;
  const roleArn = init.roleArn ?? readVariable(env, "AWS_ROLE_ARN");
  if (file === undefined || roleArn === undefined) throw notConfigured(file, roleArn);
  return {
    source: fromFile(file, clock),
    sourceName: `the token file ${file}`,
    roleArn,
    roleSessionName: init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME"),
    marks: file === fromEnvironment ? { CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN: "h" } : {},
  };
}

/**
 * Only a missing token file lets a chain try its next provider. A token file without a role is a
 * mistake: with the next provider, the workload would silently run with another identity.
 */
function notConfigured(file: string | undefined, roleArn: string | undefined): WebIdentityError {
  const missing = [
    ...(file === undefined
      ? [["token file", "webIdentityTokenFile (or AWS_WEB_IDENTITY_TOKEN_FILE)"]]
      : []),
    ...(roleArn === undefined ? [["role", "roleArn (or AWS_ROLE_ARN)"]] : []),
  ] as const;
  const nouns = missing.map(([noun]) => noun).join(" and no ");
  const options = missing.map(([, option]) => option).join(" and ");
  return new WebIdentityError({
    code: "ERR_NOT_CONFIGURED",
    message: `Web identity configuration not specified: there is no ${nouns}.`,
    hint: `Workload: set ${options}; on EKS, ${ANNOTATE_SERVICE_ACCOUNT}.`,
    tryNextLink: file === undefined,
  });
}

/** Init of {@link fromWebIdentity}. */
export interface FromWebIdentityInit extends WebIdentityInit {
  /** Called for every attempt, so that a retry never sends a token that expired during the wait. */
  readonly token: TokenSource;
  /** ARN of the role to assume. */
  readonly roleArn: string;
}

/**
 * Credentials from tokens that a function returns: GitHub Actions, Google, Vault, your own IdP.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { readFile } from "node:fs/promises";
 * import { fromWebIdentity } from "resilient-sts";
 *
 * const credentials = fromWebIdentity({
 *   token: ({ signal }) => readFile("/run/oidc/token", { encoding: "utf8", signal }),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function fromWebIdentity(init: FromWebIdentityInit): WebIdentityProvider {
  requireInit("fromWebIdentity", init);
  const options = takeOptions(init, {
    webIdentityToken: "fromWebToken",
    webIdentityTokenFile: "fromTokenFile",
  });
  requireFunction("token", options.token);
  requireString("roleArn", options.roleArn);
  const { token, roleArn, roleSessionName } = options;
  return createProvider(
    () => ({
      source: token,
      sourceName: token.name ? `the token source ${token.name}()` : "the token source",
      roleArn,
      roleSessionName,
      marks: {},
    }),
    options,
  );
}

/** Init of {@link fromWebToken}: the SDK's options and the resilience options. */
export interface FromWebTokenInit extends WebIdentityInit {
  /** The OIDC token, or with `providerId` an OAuth 2.0 access token. */
  readonly webIdentityToken: string;
  /** ARN of the role to assume. */
  readonly roleArn: string;
}

/**
 * Credentials from one given token. When it expires, the provider can't get new credentials. For a
 * service that runs longer, use {@link fromTokenFile} or {@link fromWebIdentity}. A drop-in replacement
 * for the SDK's `fromWebToken`.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { fromWebToken } from "resilient-sts";
 *
 * const credentials = fromWebToken({
 *   webIdentityToken: process.env.CIRCLE_OIDC_TOKEN_V2 ?? "",
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function fromWebToken(init: FromWebTokenInit): WebIdentityProvider {
  requireInit("fromWebToken", init);
  const options = takeOptions(init, { token: "fromWebIdentity" });
  requireString("webIdentityToken", options.webIdentityToken);
  requireString("roleArn", options.roleArn);
  const { webIdentityToken, roleArn, roleSessionName } = options;
  const source = Object.assign(async () => webIdentityToken, { renewable: false });
  return createProvider(
    () => ({
      source,
      sourceName: "webIdentityToken",
      roleArn,
      roleSessionName,
      marks: {},
    }),
    options,
  );
}

/** The codes of permanent refusals, which the cache remembers for some seconds. */
const REJECTIONS = [
  "ERR_TOKEN_INVALID",
  "ERR_TOKEN_EXPIRED",
  "ERR_TOKEN_REJECTED",
  "ERR_IDP_UNUSABLE",
  "ERR_ACCESS_DENIED",
  "ERR_REGION_DISABLED",
  "ERR_REQUEST_INVALID",
];

/** Composes a provider. @param resolveIdentity - called for each refresh. */
export function createProvider(
  resolveIdentity: IdentityResolver,
  init: WebIdentityInit,
  runtime: Runtime = processRuntime,
): WebIdentityProvider {
  const options = resolveOptions(init);
  const { clock, random } = runtime;
  const { logger, onEvent } = init;
  const reporter = new ProviderReporter({ logger, onEvent, clock });
  const refresher = new Refresher({ init, options, runtime, reporter });
  const { sharing } = refresher;

  const cache: CredentialCache<Refreshed, ProviderProperties> = new CredentialCache({
    refresh: async (properties, signal) => {
      const identity = resolveIdentity();
      reporter.setRole(identity.roleArn);
      return await refresher.refresh({
        identity,
        caller: properties?.callerClientConfig,
        snapshot: cache.snapshot(),
        isForced: properties?.forceRefresh === true,
        signal,
      });
    },
    onRefreshStarted: (isBackground) => reporter.started(isBackground),
    onWait: () => reporter.joined(),
    onRefreshed: (refreshed) => reporter.refreshed(refreshed),
    onRefreshFailed: (error, state) => reporter.failed(error, state),
    onExpiredServed: ({ expiration }) => {
      if (expiration === undefined) return;
      reporter.emit({ type: "credentials.expired-served", expiresAt: expiration.getTime() });
    },
    onClosed: () => {
      reporter.closed();
      refresher.close();
    },
    staleResponse,
    adviceOf,
    callerTimeoutMs: options.callerTimeoutMs,
    callerTimedOut: () => callerTimedOut(options.callerTimeoutMs),
    windows: options.refresh,
    aheadOfTime: options.refresh.aheadOfTime,
    serveExpired: options.serveExpired,
    signal: init.signal,
    clock,
    random,
  });

  const close = () => cache.close(closedError());

  const get = (properties?: ProviderProperties) => {
    if (properties?.forceRefresh) sharing.limitWait();
    return cache.get(properties);
  };

  const invalidate = (accessKeyId?: string) => {
    const cachedId = cache.snapshot().entry?.credentials.accessKeyId;
    cache.invalidate(accessKeyId);
    if (cachedId !== undefined && (accessKeyId ?? cachedId) === cachedId)
      sharing.rejected(cachedId);
  };

  return Object.assign(get, {
    memoized: true as const,
    status: () => reporter.status(cache.snapshot(), refresher.regions(), sharing.status()),
    invalidate,
    close,
    [Symbol.asyncDispose]: async () => {
      close();
      await sharing.settled();
    },
  });
}

function adviceOf(error: unknown): FailureAdvice {
  const { code = "", retryAfterMs } = isWebIdentityError(error) ? error : {};
  return {
    isRejection: REJECTIONS.includes(code),
    // The refresh only read the environment, and a chain calls its first provider often.
    isFree: code === "ERR_NOT_CONFIGURED",
    retryAfterMs,
  };
}

function staleResponse({ expiration }: AttributedCredentials): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_STS_UNAVAILABLE",
    message: `STS returned credentials that have expired, or expire within 1 s (${expiration?.toJSON()}).`,
    hint: "Workload: check this machine's clock. Network: find what responds between this machine and STS.",
  });
}

function callerTimedOut(limitMs = 0): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_CALLER_TIMEOUT",
    message: `The refresh did not end within callerTimeoutMs (${limitMs} ms). It continues, and a later call gets its result.`,
    hint: "Workload: retry the call, or raise callerTimeoutMs. The events of the provider, and its status().lastError after the refresh, show what delays it.",
  });
}

function closedError(): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_CLOSED",
    message: "This credentials provider was closed.",
    hint: "Workload: create a new provider, or close this one only after its last client.",
  });
}
