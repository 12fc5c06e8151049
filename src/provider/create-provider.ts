import type { FailureAdvice } from "../credentials/cache-options.js";
import { CredentialCache } from "../credentials/credential-cache.js";
import { isWebIdentityError, WebIdentityError } from "../model/errors.js";
import { createPreflight } from "../preflight/preflight.js";
import { closeOnAbort } from "../runtime/abort.js";
import type { CallerClientConfig, StsSettings } from "../sts/client-config.js";
import type { AttributedCredentials } from "../sts/credentials.js";
import type { StsTarget } from "../sts/target.js";
import { createEventLog } from "./event-log.js";
import type { IdentityResolver } from "./identity.js";
import type { WebIdentityInit } from "./options.js";
import { StatusBoard } from "./provider-status.js";
import { type Refreshed, refreshCredentials } from "./refresh.js";
import { RefreshTracer } from "./refresh-tracer.js";
import { processRuntime, type Runtime } from "./runtime.js";
import { resolveOptions } from "./validate-options.js";
import type { ProviderProperties, WebIdentityProvider } from "./web-identity-provider.js";

/** Refusals that do not pass by themselves: the cache remembers them for some seconds. */
const REJECTIONS = [
  "ERR_TOKEN_INVALID",
  "ERR_TOKEN_EXPIRED",
  "ERR_TOKEN_REJECTED",
  "ERR_IDP_UNUSABLE",
  "ERR_ACCESS_DENIED",
  "ERR_REGION_DISABLED",
  "ERR_REQUEST_INVALID",
];

/** Composes the rooms into one provider. */
export function createProvider(
  resolveIdentity: IdentityResolver,
  init: WebIdentityInit,
  runtime: Runtime = processRuntime,
): WebIdentityProvider {
  const options = resolveOptions(init);
  const { clock, random, pool, env } = runtime;
  const settings: StsSettings = {
    clientConfig: init.clientConfig ?? {},
    clientPlugins: init.clientPlugins ?? [],
    region: init.region,
    failoverRegions: options.failoverRegions,
    parentClientConfig: init.parentClientConfig ?? {},
  };
  const eventLog = createEventLog({ logger: init.logger, onEvent: init.onEvent, now: clock.now });
  const board = new StatusBoard(clock);
  const tracer = new RefreshTracer();
  const preflight = createPreflight(options.preflight, runtime);
  let targets: readonly StsTarget[] = [];
  let lastCaller: CallerClientConfig | undefined;
  let emit = eventLog("");
  let ignoreSignal = () => {};
  let refreshed: Refreshed | undefined;

  const cache = new CredentialCache<AttributedCredentials, ProviderProperties>({
    onRefreshStarted: (isBackground) => tracer.started(isBackground),
    onWait: () => tracer.joined(),
    refresh: async (properties, signal) => {
      board.started();
      const identity = resolveIdentity();
      tracer.isFor(identity.roleArn);
      emit = eventLog(identity.roleArn);
      // A refresh that nobody asked for goes where the last one went.
      lastCaller = properties?.callerClientConfig ?? lastCaller;
      refreshed = await refreshCredentials({
        init,
        options,
        settings,
        runtime,
        identity,
        // A look that nobody waited for may end after the provider: nobody hears of it then.
        emit: (event) => {
          if (!cache.isClosed) emit(event);
        },
        caller: lastCaller,
        signal,
        preflight,
        tracer,
        onReport: (report) => {
          if (!cache.isClosed) board.looked(report);
        },
        onTargets: (chosen) => {
          pool.moveOn(targets, chosen, env);
          targets = chosen.map((target) => pool.canonical(target, env));
        },
      });
      return refreshed.credentials;
    },
    onRefreshed: () => {
      if (refreshed === undefined) return;
      const { credentials, region, attempts, ms } = refreshed;
      const { expiration } = credentials;
      refreshed = undefined;
      board.succeeded(region);
      tracer.refreshed({ source: "sts", region, attempts, expiration });
      emit({ type: "credentials.refreshed", region, attempts, ms, expiration });
    },
    staleAnswer,
    adviceOf,
    onRefreshFailed: (error, { servedFromCache, nextRefreshAllowedAt }) => {
      if (!isWebIdentityError(error)) return;
      const ms = board.failed(error);
      tracer.failed(error);
      Object.assign(error, { nextRefreshAllowedAt });
      // Nothing is configured: a chain passes by, and nothing has failed.
      if (error.tryNextLink) return;
      const { code, message, attempts } = error;
      emit({
        type: "refresh.failed",
        code,
        message,
        attempts: attempts.length,
        ms,
        servedFromCache,
        nextRefreshAllowedAt,
      });
    },
    onExpiredServed: ({ expiration }) => {
      if (expiration !== undefined) emit({ type: "credentials.expired-served", expiration });
    },
    onClosed: () => {
      ignoreSignal();
      tracer.closed();
      for (const target of targets) pool.release(target, env);
    },
    windows: options.refresh,
    aheadOfTime: options.refresh.aheadOfTime,
    serveExpired: options.serveExpired,
    clock,
    random,
  });

  if (init.signal !== undefined) ignoreSignal = closeOnAbort(init.signal, cache);
  const close = () => cache.close(closedError());

  const regionStatus = (target: StsTarget) => ({
    region: target.region,
    restingUntil: pool.breaker(target, env, random).openUntil(clock.now()),
  });

  return Object.assign((properties?: ProviderProperties) => cache.get(properties), {
    memoized: true as const,
    status: () => board.read(cache.snapshot(), targets.map(regionStatus)),
    invalidate: (accessKeyId?: string) => cache.invalidate(accessKeyId),
    close,
    [Symbol.asyncDispose]: async () => close(),
  });
}

function adviceOf(error: unknown): FailureAdvice {
  const { code = "", retryAfterMs } = isWebIdentityError(error) ? error : {};
  return {
    isRejection: REJECTIONS.includes(code),
    // Only the environment was read, and a chain that moves on asks often.
    isFree: code === "ERR_NOT_CONFIGURED",
    retryAfterMs,
  };
}

function staleAnswer({ expiration }: AttributedCredentials): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_STS_UNAVAILABLE",
    message: `STS gave credentials that have expired already (${expiration?.toJSON()}).`,
    hint: "Workload: check this machine's clock. Network: check what answers between this machine and STS.",
  });
}

function closedError(): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_CLOSED",
    message: "This credentials provider was closed.",
    hint: "Workload: create a new provider, or close this one only after its last client.",
  });
}
