import type { TokenFacts } from "../model/attempt.js";
import { WebIdentityError } from "../model/errors.js";
import type { EmitEvent } from "../model/events.js";
import { AttemptError } from "../model/failure.js";
import type { IssuerReport } from "../model/issuer-report.js";
import type { Preflight } from "../preflight/issuer-check.js";
import { explain } from "../retry/explain.js";
import { type Attempt, AttemptsFailed, retryLoop } from "../retry/retry-loop.js";
import { judge } from "../retry/verdict.js";
import { withTimeout } from "../runtime/abort.js";
import { type Deadline, startDeadline } from "../runtime/deadline.js";
import { safeCause, safeText } from "../runtime/redact.js";
import type { AttributedCredentials } from "../sts/credentials.js";
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
import { AttemptPreflight } from "./attempt-preflight.js";
import type { Identity } from "./identity.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { RefreshTracer } from "./refresh-tracer.js";
import type { Runtime } from "./runtime.js";
import type { SharedTurn } from "./shared-refresh.js";
import { TokenStep } from "./token-step.js";

/** Everything one refresh is made of. */
export interface RefreshContext {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly settings: StsSettings;
  readonly runtime: Runtime;
  readonly identity: Identity;
  readonly emit: EmitEvent;
  readonly caller: CallerClientConfig | undefined;
  readonly signal: AbortSignal;
  readonly preflight: Preflight;
  readonly tracer: RefreshTracer;
  /** Begins this refresh's share of the store, if there is one. */
  readonly beginShared: (target: StsTarget) => Promise<SharedTurn | undefined>;
  /** Told what every look at the issuer found. */
  readonly onReport: (report: IssuerReport) => void;
  /** Told which STSs this refresh may ask, as soon as that is settled. */
  readonly onTargets: (targets: readonly StsTarget[]) => void;
}

export interface Refreshed {
  readonly credentials: AttributedCredentials;
  readonly source: "sts" | "store";
  /** The region that gave them, if that is known. */
  readonly region: string | undefined;
  /** How many attempts it took; 0 when STS was not asked. */
  readonly attempts: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/**
 * One refresh, from the token to the credentials: each attempt reads the token anew, checks it,
 * and asks STS once; the loop decides whether and when there is another.
 *
 * @throws WebIdentityError, or the signal's reason.
 */
export async function refreshCredentials(context: RefreshContext): Promise<Refreshed> {
  const { runtime, options, identity, emit, signal } = context;
  const { clock, random } = runtime;
  const start = clock.monotonic();
  const deadline = startDeadline(clock, options.retry.budgetMs);
  const token = new TokenStep(context);
  let failedAttempts = 0;
  let shared: SharedTurn | undefined;
  try {
    const targets = await settleTargets(context, deadline);
    shared = await context.beginShared(targets[0]);
    const sts = createStsCaller(context, targets);
    const preflight = createAttemptPreflight(context);
    const steps = { token, sts, preflight, shared };
    const got = await retryLoop((attempt) => runAttempt(attempt, steps, context), {
      ...options,
      deadline,
      clock,
      random,
      signal,
      onAttemptFailed: (record) => {
        failedAttempts += 1;
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
      attempts: failedAttempts + (got.source === "sts" ? 1 : 0),
      ms: Math.round(clock.monotonic() - start),
    };
  } catch (error) {
    shared?.end();
    signal.throwIfAborted();
    throw toError(error, identity.roleArn, token.facts);
  }
}

interface Steps {
  readonly token: TokenStep;
  readonly sts: StsCaller;
  readonly preflight: AttemptPreflight;
  readonly shared: SharedTurn | undefined;
}

async function runAttempt(
  attempt: Attempt,
  { token: tokenStep, sts, preflight, shared }: Steps,
  { init, identity, runtime, tracer }: RefreshContext,
): Promise<Pick<Refreshed, "credentials" | "region" | "source">> {
  const request = {
    RoleArn: identity.roleArn,
    // The stock provider's default, so that trust policies and dashboards written for it still fit.
    RoleSessionName: identity.roleSessionName ?? `aws-sdk-js-session-${runtime.clock.now()}`,
    ...(init.providerId !== undefined && { ProviderId: init.providerId }),
    ...(init.policyArns !== undefined && { PolicyArns: init.policyArns }),
    ...(init.policy !== undefined && { Policy: init.policy }),
    ...(init.durationSeconds !== undefined && { DurationSeconds: init.durationSeconds }),
  };
  await sts.check(request);
  const token = await tokenStep.run(attempt, sts.serverClock);
  const found = await shared?.before(token, attempt.deadline);
  if (found !== undefined && "refused" in found) throw new AttemptError(found.refused);
  if (found !== undefined) return { ...found, source: "store" };
  await preflight.before(token, attempt.deadline);
  const answered = preflight.beside(token);
  try {
    const send = () => sts.call({ ...request, WebIdentityToken: token }, attempt.deadline);
    const { credentials } = await tracer
      .call(attempt.attempt, send, () => sts.region)
      .finally(answered);
    return { credentials, region: sts.region, source: "sts" };
  } catch (error) {
    if (!(error instanceof AttemptError)) throw error;
    const failure = tokenStep.withoutRenewal(error.failure);
    shared?.refused(failure);
    throw new AttemptError(await preflight.after(token, failure, attempt.deadline));
  }
}

/** Where to ask. Regions and flags may be functions of anybody's, so this is bounded like a call. */
async function settleTargets(context: RefreshContext, deadline: Deadline) {
  const { init, settings, caller, runtime, options, emit, signal, onTargets } = context;
  const timeoutMs = Math.min(options.attemptTimeoutMs, deadline.remainingMs());
  const reason = new Error(
    `the region and endpoint options gave no value in ${Math.round(timeoutMs)} ms`,
  );
  const targets = await withTimeout({ clock: runtime.clock, signal, timeoutMs, reason }, () =>
    resolveTargets(settings, caller, runtime.env),
  );
  if (init.roleAssumerWithWebIdentity !== undefined) return targets;
  const [{ region, regionSource, customEndpoint }] = targets;
  if (regionSource === "default" && !customEndpoint) emit({ type: "region.defaulted", region });
  onTargets(targets);
  return targets;
}

function createStsCaller(
  { init, options, runtime, emit, signal }: RefreshContext,
  targets: readonly [StsTarget, ...StsTarget[]],
): StsCaller {
  const { clock, pool } = runtime;
  const { attemptTimeoutMs, hedgeAfterMs, retry, retryAccessDenied } = options;
  const assumer = init.roleAssumerWithWebIdentity;
  if (assumer !== undefined)
    return createAssumerCaller({ assumer, clock, attemptTimeoutMs, signal });
  const limits = { attemptTimeoutMs, hedgeAfterMs, budgetMs: retry.budgetMs };
  return createRegionalCaller({ targets, pool, limits, judge, retryAccessDenied, emit, signal });
}

function createAttemptPreflight(context: RefreshContext): AttemptPreflight {
  const { init, options, runtime } = context;
  // An OAuth 2.0 access token is opaque: it names no issuer.
  const mode = init.providerId === undefined ? options.preflight.mode : "off";
  return new AttemptPreflight({ ...context, mode, clock: runtime.clock });
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
