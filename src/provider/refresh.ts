import type { CacheSnapshot } from "../credentials/credential-cache.js";
import { type CredentialStore, storeName } from "../model/credential-store.js";
import { WebIdentityError } from "../model/errors.js";
import { AttemptError } from "../model/failure.js";
import type { TokenFacts } from "../model/jwt.js";
import { createPreflight, type Preflight } from "../preflight/issuer-check.js";
import { type Attempt, AttemptsFailed, explain, retryLoop } from "../retry/retry-loop.js";
import { judge } from "../retry/verdict.js";
import { withTimeout } from "../runtime/abort.js";
import { type Deadline, startDeadline } from "../runtime/clock.js";
import { safeCause, safeText } from "../runtime/redact.js";
import type { AssumeRoleInput } from "../sts/assume-role.js";
import {
  createAssumerCaller,
  createRegionalCaller,
  type StsCaller,
} from "../sts/regional-caller.js";
import {
  type CallerClientConfig,
  resolveTargets,
  type StsSettings,
  type StsTarget,
} from "../sts/target.js";
import { IssuerCheckStep, TokenStep } from "./attempt-steps.js";
import type { Identity, ResolvedOptions, Runtime, WebIdentityInit } from "./options.js";
import type { ProviderReporter, Refreshed } from "./provider-reporter.js";
import type { SharedRefresh, SharedRefreshOptions, SharedStore } from "./shared-refresh.js";
import type { RegionStatus, StoreStatus } from "./web-identity-provider.js";

interface RefresherOptions {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly reporter: ProviderReporter;
}

/** What differs between the refreshes of one provider. */
export interface RefreshRequest {
  readonly identity: Identity;
  /** The config of the calling client; absent when a timer started the refresh. */
  readonly caller: CallerClientConfig | undefined;
  /** What is cached when the refresh starts. */
  readonly snapshot: CacheSnapshot;
  readonly isForced: boolean;
  readonly signal: AbortSignal;
}

interface Steps {
  readonly identity: Identity;
  readonly token: TokenStep;
  readonly sts: StsCaller;
  readonly issuer: IssuerCheckStep;
  readonly shared: SharedRefresh | undefined;
}

type Targets = readonly [StsTarget, ...StsTarget[]];

/** The refreshes of one provider. */
export class Refresher {
  /** The store's part in the refreshes. */
  readonly sharing: CredentialSharing;
  readonly #options: RefresherOptions;
  readonly #settings: StsSettings;
  readonly #preflight: Preflight;
  /** The regions, and the calling client's config, of the last refresh. */
  #targets: readonly StsTarget[] = [];
  #caller: CallerClientConfig | undefined;

  constructor(options: RefresherOptions) {
    const { init } = options;
    this.#options = options;
    this.sharing = new CredentialSharing(options);
    this.#preflight = createPreflight(options.options.preflight, options.runtime);
    this.#settings = {
      clientConfig: init.clientConfig ?? {},
      clientPlugins: init.clientPlugins ?? [],
      region: init.region,
      failoverRegions: options.options.failoverRegions,
      parentClientConfig: init.parentClientConfig ?? {},
    };
  }

  /**
   * One refresh, from the token to the credentials. Each attempt reads the token, checks it, and calls STS
   * once; the retry loop decides whether and when there is another attempt.
   *
   * @throws WebIdentityError, or the signal's reason.
   */
  async refresh(request: RefreshRequest): Promise<Refreshed> {
    const { runtime, options, reporter } = this.#options;
    const { identity, snapshot, isForced, signal } = request;
    const { emit } = reporter;
    const { clock, random } = runtime;
    const start = clock.monotonic();
    const deadline = startDeadline(clock, options.retry.budgetMs);
    const token = this.#tokenStep(identity, signal);
    let shared: SharedRefresh | undefined;
    try {
      const targets = await this.#resolveTargets(request, deadline);
      const [target] = targets;
      shared = await this.sharing.begin({ identity, target, snapshot, isForced, emit, signal });
      const sts = this.#stsCaller(targets, signal);
      const steps = { identity, token, sts, issuer: this.#issuerCheckStep(signal), shared };
      const got = await retryLoop((attempt) => this.#attempt(attempt, steps), {
        retry: options.retry,
        retryAccessDenied: options.retryAccessDenied,
        deadline,
        clock,
        random,
        signal,
        onAttemptFailed: (record) => {
          token.attemptFailed(record.verdict === "token-expired");
          emit({ type: "attempt.failed", ...record });
        },
      });
      if (got.source === "sts") shared?.end(got);
      else shared?.end();
      const $source = { ...got.credentials.$source, ...identity.marks };
      return {
        ...got,
        credentials: { ...got.credentials, $source },
        ms: Math.round(clock.monotonic() - start),
      };
    } catch (error) {
      shared?.end();
      signal.throwIfAborted();
      throw toError(error, identity.roleArn, token.facts);
    }
  }

  /** The regions that the last refresh could call. */
  regions(): RegionStatus[] {
    const { clock, pool } = this.#options.runtime;
    return this.#targets.map((target) => {
      const openMs = pool.breaker(target).openForMs;
      const openUntil = openMs > 0 ? Math.ceil(clock.now() + openMs) : undefined;
      return { region: target.region, openUntil };
    });
  }

  /** Closes the idle connections. */
  close(): void {
    for (const target of this.#targets) this.#options.runtime.pool.release(target);
  }

  /** One attempt. It does not count as one if the credentials come from the store. */
  async #attempt(
    attempt: Attempt,
    { identity, token: tokenStep, sts, issuer, shared }: Steps,
  ): Promise<Omit<Refreshed, "ms">> {
    const { runtime, reporter } = this.#options;
    const { deadline } = attempt;
    const request = this.#assumeRoleRequest(identity);
    await sts.check(request);
    const reading = tokenStep.run(attempt, sts.serverClock);
    // The SDK's modules load while the token is read, so that a cold start waits only for the slower one.
    if (attempt.attempt === 1) runtime.pool.preload();
    const token = await reading;
    const found = await shared?.findOrClaim(token, deadline);
    if (found !== undefined && "refused" in found) throw new AttemptError(found.refused);
    if (found !== undefined) {
      return { ...found, source: "store", attempts: attempt.attempt - 1 };
    }
    await issuer.beforeCall(token, deadline);
    const callEnded = issuer.duringCall(token);
    try {
      const call = () => sts.call({ ...request, WebIdentityToken: token }, deadline);
      const { credentials } = await reporter
        .stsCall(attempt.attempt, call, () => sts.region)
        .finally(callEnded);
      return { credentials, region: sts.region, source: "sts", attempts: attempt.attempt };
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      const failure = tokenStep.withoutNewerToken(error.failure);
      shared?.refused(failure);
      throw new AttemptError(await issuer.afterFailure(token, failure, deadline));
    }
  }

  #assumeRoleRequest({
    roleArn,
    roleSessionName,
  }: Identity): Omit<AssumeRoleInput, "WebIdentityToken"> {
    const { init, runtime } = this.#options;
    return {
      RoleArn: roleArn,
      // The default of the SDK's own provider: trust policies and dashboards may rely on it.
      RoleSessionName: roleSessionName ?? `aws-sdk-js-session-${runtime.clock.now()}`,
      ...(init.providerId !== undefined && { ProviderId: init.providerId }),
      ...(init.policyArns !== undefined && { PolicyArns: init.policyArns }),
      ...(init.policy !== undefined && { Policy: init.policy }),
      ...(init.durationSeconds !== undefined && { DurationSeconds: init.durationSeconds }),
    };
  }

  /** Resolves the regions that may be called. An option may be a user's function, so this has a limit too. */
  async #resolveTargets({ caller, signal }: RefreshRequest, deadline: Deadline): Promise<Targets> {
    const { init, runtime, options, reporter } = this.#options;
    const { clock, env, pool } = runtime;
    // A refresh that a timer started calls the same regions as the last one.
    this.#caller = caller ?? this.#caller;
    const timeoutMs = Math.min(options.attemptTimeoutMs, deadline.remainingMs());
    const reason = new Error(
      `the region and endpoint options returned no value within ${Math.round(timeoutMs)} ms`,
    );
    const targets = await withTimeout({ clock, signal, timeoutMs, reason }, () =>
      resolveTargets(this.#settings, this.#caller, env),
    );
    if (init.roleAssumerWithWebIdentity !== undefined) return targets;
    const [{ region, regionSource, customEndpoint }] = targets;
    if (regionSource === "default" && !customEndpoint) {
      reporter.emit({ type: "region.defaulted", region });
    }
    this.#targets = pool.replaceTargets(this.#targets, targets);
    return targets;
  }

  #tokenStep(identity: Identity, signal: AbortSignal): TokenStep {
    const { init, options, runtime, reporter } = this.#options;
    const limits = {
      attemptTimeoutMs: options.attemptTimeoutMs,
      // An OAuth 2.0 access token is opaque, and an emulator may accept any string.
      isChecked: init.providerId === undefined && options.validateToken,
      neededSeconds: options.retry.budgetMs / 1000,
      audiences: options.preflight.audiences,
    };
    return new TokenStep({ identity, limits, clock: runtime.clock, emit: reporter.emit, signal });
  }

  #issuerCheckStep(signal: AbortSignal): IssuerCheckStep {
    const { init, options, runtime, reporter } = this.#options;
    // An OAuth 2.0 access token is opaque: it names no issuer.
    const mode = init.providerId === undefined ? options.preflight.mode : "off";
    const { clock } = runtime;
    return new IssuerCheckStep({ preflight: this.#preflight, mode, reporter, signal, clock });
  }

  #stsCaller(targets: Targets, signal: AbortSignal): StsCaller {
    const { init, options, runtime, reporter } = this.#options;
    const { clock, pool } = runtime;
    const { attemptTimeoutMs, hedgeAfterMs, retry, retryAccessDenied } = options;
    const assumer = init.roleAssumerWithWebIdentity;
    if (assumer !== undefined) {
      return createAssumerCaller({ assumer, clock, attemptTimeoutMs, signal });
    }
    const { emit } = reporter;
    const limits = { attemptTimeoutMs, hedgeAfterMs, budgetMs: retry.budgetMs };
    return createRegionalCaller({ targets, pool, limits, judge, retryAccessDenied, emit, signal });
  }
}

function toError(error: unknown, roleArn: string, token: TokenFacts | undefined): WebIdentityError {
  if (error instanceof AttemptsFailed) return explain(error, { roleArn, token });
  const cause = safeCause(error);
  return new WebIdentityError({
    code: "ERR_REQUEST_INVALID",
    message: `The STS request could not be made: ${cause.message} (role ${safeText(roleArn)}).`,
    hint: "Workload: check clientConfig, the region and the AWS profile.",
    cause,
  });
}

/**
 * Decides whether a provider uses its store. `shared-refresh.ts` does the rest, and is loaded by the first
 * refresh that uses the store.
 */
class CredentialSharing {
  readonly #options: RefresherOptions;
  /** Absent without a store, and when its credentials can't be shared. */
  readonly #store: CredentialStore | undefined;
  /** Absent without a store. Read once: the name of a user's own store may not be readable later. */
  readonly #name: string | undefined;
  readonly #unusedBecause: string | undefined;
  #shared: SharedStore | undefined;

  constructor(options: RefresherOptions) {
    const { init } = options;
    this.#options = options;
    this.#name = init.store && storeName(init.store);
    this.#unusedBecause = init.store && whyUnused(init, options.options);
    this.#store = this.#unusedBecause === undefined ? init.store : undefined;
  }

  /** Begins the store's part in one refresh; `undefined` if the store is not used. */
  async begin(refresh: SharedRefreshOptions): Promise<SharedRefresh | undefined> {
    const store = this.#store;
    const name = this.#name;
    if (store === undefined || name === undefined) return undefined;
    const { init, options, runtime } = this.#options;
    try {
      const { SharedStore } = await import("./shared-refresh.js");
      this.#shared ??= new SharedStore({ store, init, options, runtime });
    } catch (error) {
      // Too many open files, for example: the next refresh tries again.
      const { message } = safeCause(error);
      const failure = { operation: "read", reason: "error", message } as const;
      refresh.emit({ type: "store.failed", store: name, ...failure });
    }
    return this.#shared?.begin(refresh);
  }

  /** Limits how long the in-flight refresh waits for another process: a caller waits for it now. */
  limitWait(): void {
    this.#shared?.limitWait();
  }

  /** Removes credentials that a service rejected, so that no process gets them from the store. */
  rejected(accessKeyId: string): void {
    this.#shared?.rejected(accessKeyId, this.#options.reporter.emit);
  }

  /** `undefined` without a store. */
  status(): StoreStatus | undefined {
    const name = this.#name;
    if (name === undefined) return undefined;
    const openUntil = this.#shared?.guard.openUntil;
    return { name, unusedBecause: this.#unusedBecause, openUntil };
  }

  /** Settles when every write to the store has ended. */
  async settled(): Promise<void> {
    await this.#shared?.settled();
  }
}

/** Why the credentials can't be shared: it is unknown which processes would get the same ones. */
function whyUnused(init: WebIdentityInit, { validateToken }: ResolvedOptions): string | undefined {
  if (init.providerId !== undefined) return "an access token names no subject (providerId)";
  if (!validateToken) return "the token is not checked (validateToken)";
  if (init.roleAssumerWithWebIdentity !== undefined) {
    return "roleAssumerWithWebIdentity may call any service";
  }
  return init.clientPlugins?.length ? "clientPlugins may change the request" : undefined;
}
