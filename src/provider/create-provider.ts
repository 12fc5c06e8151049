import { CredentialCache, type FailureAdvice } from "../credentials/credential-cache.js";
import { isWebIdentityError, WebIdentityError } from "../model/errors.js";
import { closeOnAbort } from "../runtime/abort.js";
import type { AttributedCredentials } from "../sts/credentials.js";
import { CredentialSharing } from "./credential-sharing.js";
import type { WebIdentityInit } from "./options.js";
import { ProviderReporter, type Refreshed } from "./provider-reporter.js";
import { Refresher } from "./refresh.js";
import { type IdentityResolver, processRuntime, type Runtime } from "./runtime.js";
import { resolveOptions } from "./validate-options.js";
import type { ProviderProperties, WebIdentityProvider } from "./web-identity-provider.js";

/*
 * This folder composes a provider of the others: the cache (`src/credentials`) decides when to refresh,
 * `refresh.ts` runs the attempts, `provider-reporter.ts` reports them, and `credential-sharing.ts` asks
 * the store, if there is one.
 */

/** Permanent refusals, which the cache remembers for some seconds. */
const REJECTIONS = [
  "ERR_TOKEN_INVALID",
  "ERR_TOKEN_EXPIRED",
  "ERR_TOKEN_REJECTED",
  "ERR_IDP_UNUSABLE",
  "ERR_ACCESS_DENIED",
  "ERR_REGION_DISABLED",
  "ERR_REQUEST_INVALID",
];

/** @param resolveIdentity - called for each refresh. */
export function createProvider(
  resolveIdentity: IdentityResolver,
  init: WebIdentityInit,
  runtime: Runtime = processRuntime,
): WebIdentityProvider {
  const options = resolveOptions(init);
  const { clock, random } = runtime;
  const { logger, onEvent, signal: end } = init;
  const reporter = new ProviderReporter({ logger, onEvent, clock });
  const sharing = new CredentialSharing({ init, options, runtime, emit: reporter.emit });
  const refresher = new Refresher({ init, options, runtime, reporter, sharing });
  let ignoreSignal = () => {};

  const cache: CredentialCache<Refreshed, ProviderProperties> = new CredentialCache({
    refresh: async (properties, signal) => {
      const identity = resolveIdentity();
      reporter.isFor(identity.roleArn);
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
      ignoreSignal();
      reporter.closed();
      refresher.close();
    },
    staleAnswer,
    adviceOf,
    callerTimeoutMs: options.callerTimeoutMs,
    callerTimedOut: () => callerTimedOut(options.callerTimeoutMs),
    windows: options.refresh,
    aheadOfTime: options.refresh.aheadOfTime,
    serveExpired: options.serveExpired,
    clock,
    random,
  });

  if (end !== undefined) ignoreSignal = closeOnAbort(end, cache);
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
    // Only the environment was read, and a chain that goes on to its next provider asks often.
    isFree: code === "ERR_NOT_CONFIGURED",
    retryAfterMs,
  };
}

function staleAnswer({ expiration }: AttributedCredentials): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_STS_UNAVAILABLE",
    message: `STS returned credentials that have expired, or expire within 1 s (${expiration?.toJSON()}).`,
    hint: "Workload: check this machine's clock. Network: check what answers between this machine and STS.",
  });
}

function callerTimedOut(limitMs = 0): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_CALLER_TIMEOUT",
    message: `The refresh took longer than a caller of this provider waits (callerTimeoutMs: ${limitMs}). It continues, and a later call gets its result.`,
    hint: "Workload: retry the call, or raise callerTimeoutMs. The events of the provider, and its status().lastError after the refresh, say what delays it.",
  });
}

function closedError(): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_CLOSED",
    message: "This credentials provider was closed.",
    hint: "Workload: create a new provider, or close this one only after its last client.",
  });
}
