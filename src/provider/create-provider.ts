import { CredentialCache, type FailureAdvice } from "../credentials/credential-cache.js";
import { isWebIdentityError, WebIdentityError } from "../model/errors.js";
import type { EventBody } from "../model/events.js";
import { createPreflight } from "../preflight/issuer-check.js";
import { closeOnAbort } from "../runtime/abort.js";
import { safeCause } from "../runtime/redact.js";
import type { AttributedCredentials } from "../sts/credentials.js";
import type { CallerClientConfig, StsSettings, StsTarget } from "../sts/target.js";
import { createEventLog } from "./event-log.js";
import type { IdentityResolver } from "./identity.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import { StatusBoard } from "./provider-status.js";
import { type Refreshed, refreshCredentials } from "./refresh.js";
import { RefreshTracer } from "./refresh-tracer.js";
import { processRuntime, type Runtime } from "./runtime.js";
import type { SharedRefresh } from "./shared-refresh.js";
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
  const { clock, random, pool } = runtime;
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
  let shared: SharedRefresh | undefined;
  const { store } = init;
  const unusedBecause = store && whyUnused(init, options);

  /** Loaded with the first refresh, and only by a provider that has a store. */
  const loadShared = async () => {
    if (store === undefined || unusedBecause !== undefined) return undefined;
    try {
      const { SharedRefresh } = await import("./shared-refresh.js");
      shared ??= new SharedRefresh({ store, init, options, runtime });
    } catch (error) {
      // Too many open files, and the like: it may pass.
      const { message } = safeCause(error);
      emit({
        type: "store.failed",
        store: store.name,
        operation: "read",
        reason: "error",
        message,
      });
    }
    return shared;
  };

  const cache: CredentialCache<Refreshed, ProviderProperties> = new CredentialCache({
    onRefreshStarted: (isBackground) => tracer.started(isBackground),
    onWait: () => tracer.joined(),
    refresh: async (properties, signal) => {
      board.started();
      const identity = resolveIdentity();
      tracer.isFor(identity.roleArn);
      emit = eventLog(identity.roleArn);
      // A refresh that nobody asked for goes where the last one went.
      lastCaller = properties?.callerClientConfig ?? lastCaller;
      const isForced = properties?.forceRefresh === true;
      const snapshot = cache.snapshot();
      // Looking at the issuer, or writing to the store, may end after the provider.
      const emitWhileOpen = (event: EventBody) => {
        if (!cache.isClosed) emit(event);
      };
      return await refreshCredentials({
        init,
        options,
        settings,
        runtime,
        identity,
        emit: emitWhileOpen,
        caller: lastCaller,
        signal,
        preflight,
        tracer,
        beginShared: async (target) => {
          const turn = { identity, target, snapshot, isForced, emit: emitWhileOpen, signal };
          return (await loadShared())?.begin(turn);
        },
        onReport: (report) => {
          if (!cache.isClosed) board.looked(report);
        },
        onTargets: (chosen) => {
          targets = pool.replaceTargets(targets, chosen);
        },
      });
    },
    onRefreshed: ({ credentials, source, region, attempts, ms }) => {
      const { expiration } = credentials;
      board.succeeded(region, source);
      tracer.refreshed({ source, region, attempts, expiration });
      emit({ type: "credentials.refreshed", source, region, attempts, ms, expiration });
    },
    staleAnswer,
    adviceOf,
    onRefreshFailed: (error, { servedFromCache, nextRefreshAllowedAt }) => {
      if (!isWebIdentityError(error)) return;
      const ms = board.failed(error);
      tracer.failed(error);
      if (nextRefreshAllowedAt !== undefined) Object.assign(error, { nextRefreshAllowedAt });
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
      for (const target of targets) pool.release(target);
    },
    windows: options.refresh,
    aheadOfTime: options.refresh.aheadOfTime,
    serveExpired: options.serveExpired,
    clock,
    random,
  });

  if (init.signal !== undefined) ignoreSignal = closeOnAbort(init.signal, cache);
  const close = () => cache.close(closedError());

  const regionStatus = (target: StsTarget) => {
    const openMs = pool.breaker(target).openForMs;
    const restingUntil = openMs > 0 ? Math.ceil(clock.now() + openMs) : undefined;
    return { region: target.region, restingUntil };
  };

  const storeStatus =
    store &&
    (() => {
      return { name: store.name, unusedBecause, restingUntil: shared?.guard.openUntil };
    });

  const get = (properties?: ProviderProperties) => {
    if (properties?.forceRefresh) shared?.hurry();
    return cache.get(properties);
  };

  const invalidate = (accessKeyId?: string) => {
    const held = cache.snapshot().entry?.credentials.accessKeyId;
    cache.invalidate(accessKeyId);
    if (held !== undefined && (accessKeyId ?? held) === held) shared?.rejected(held, emit);
  };

  return Object.assign(get, {
    memoized: true as const,
    status: () => board.read(cache.snapshot(), targets.map(regionStatus), storeStatus?.()),
    invalidate,
    close,
    [Symbol.asyncDispose]: async () => {
      close();
      await shared?.settled();
    },
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

/** Why credentials of this provider can't be shared: it is not known who would get the same. */
function whyUnused(init: WebIdentityInit, { validateToken }: ResolvedOptions): string | undefined {
  if (init.providerId !== undefined) return "an access token names no subject (providerId)";
  if (!validateToken) return "the token is not checked (validateToken)";
  if (init.roleAssumerWithWebIdentity !== undefined) {
    return "roleAssumerWithWebIdentity may ask any service";
  }
  return init.clientPlugins?.length ? "clientPlugins may change the request" : undefined;
}

function staleAnswer({ expiration }: AttributedCredentials): WebIdentityError {
  return new WebIdentityError({
    code: "ERR_STS_UNAVAILABLE",
    message: `STS gave credentials that have expired already, or will within 1 s (${expiration?.toJSON()}).`,
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
