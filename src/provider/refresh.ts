import { type TokenFacts, WebIdentityError } from "../errors.js";
import type { EmitEvent } from "../events.js";
import { AttemptError } from "../failure.js";
import { firstFatal } from "../findings.js";
import type { IssuerReport } from "../issuer-report.js";
import type { Preflight } from "../preflight/preflight.js";
import { safeCause } from "../redact.js";
import { explain } from "../retry/explain.js";
import { type Attempt, AttemptsFailed, retryLoop } from "../retry/retry-loop.js";
import { type AssumeRoleInput, assumeRole, assumeRoleWith } from "../sts/assume-role.js";
import { checkRequest } from "../sts/check-request.js";
import type { CallerClientConfig, StsSettings } from "../sts/client-config.js";
import type { AttributedCredentials } from "../sts/credentials.js";
import { resolveTarget, type StsTarget } from "../sts/target.js";
import { checkToken } from "../token/check.js";
import { loadToken } from "../token/token-source.js";
import { AttemptPreflight } from "./attempt-preflight.js";
import type { Identity } from "./identity.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { Runtime } from "./runtime.js";

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
  /** Told what every look at the issuer found. */
  readonly onReport: (report: IssuerReport) => void;
  /** Told which STS this refresh asks, as soon as that is settled. */
  readonly onTarget: (target: StsTarget) => void;
}

/**
 * One refresh, from the token to the credentials: each attempt reads the token anew, checks it,
 * and asks STS once; the loop decides whether and when there is another.
 *
 * @throws WebIdentityError, or the signal's reason.
 */
export async function refreshCredentials(context: RefreshContext): Promise<AttributedCredentials> {
  return new Refresh(context).run();
}

class Refresh {
  readonly #context: RefreshContext;
  readonly #preflight: AttemptPreflight;
  #facts: TokenFacts | undefined;
  #lastToken: string | undefined;
  #lastTokenExpired = false;
  #failedAttempts = 0;

  constructor(context: RefreshContext) {
    this.#context = context;
    const { init, options, preflight, emit, signal, onReport, runtime } = context;
    // An OAuth 2.0 access token is opaque: it names no issuer.
    const mode = init.providerId === undefined ? options.preflight.mode : "off";
    const { clock } = runtime;
    this.#preflight = new AttemptPreflight({ preflight, mode, emit, signal, onReport, clock });
  }

  async run(): Promise<AttributedCredentials> {
    const { runtime, options, identity, emit, signal } = this.#context;
    const start = runtime.clock.monotonic();
    try {
      const target = await this.#settleTarget();
      const credentials = await retryLoop((attempt) => this.#attempt(attempt, target), {
        ...options,
        clock: runtime.clock,
        random: runtime.random,
        signal,
        onAttemptFailed: (record) => {
          this.#failedAttempts += 1;
          this.#lastTokenExpired = record.verdict === "token-expired";
          emit({ type: "attempt.failed", ...record });
        },
      });
      const marked = { ...credentials, $source: { ...credentials.$source, ...identity.marks } };
      emit({
        type: "credentials.refreshed",
        region: target.region,
        attempts: this.#failedAttempts + 1,
        ms: Math.round(runtime.clock.monotonic() - start),
        expiration: marked.expiration,
      });
      return marked;
    } catch (error) {
      signal.throwIfAborted();
      throw this.#toError(error);
    }
  }

  async #settleTarget(): Promise<StsTarget> {
    const { settings, caller, runtime, emit, onTarget } = this.#context;
    const target = await resolveTarget(settings, caller, runtime.env);
    if (target.regionSource === "default" && !target.customEndpoint) {
      emit({ type: "region.defaulted", region: target.region });
    }
    onTarget(target);
    return target;
  }

  async #attempt({ attempt, deadline }: Attempt, target: StsTarget) {
    const { init, options, runtime, identity, signal } = this.#context;
    const { clock, pool, env } = runtime;
    const request = {
      RoleArn: identity.roleArn,
      // The stock provider's default, so that trust policies and dashboards written for it still fit.
      RoleSessionName: identity.roleSessionName ?? `aws-sdk-js-session-${clock.now()}`,
      ProviderId: init.providerId,
      PolicyArns: init.policyArns as AssumeRoleInput["PolicyArns"],
      Policy: init.policy,
      DurationSeconds: init.durationSeconds,
    };
    const assumer = init.roleAssumerWithWebIdentity;
    if (assumer === undefined) await this.#checkRequest(request, target);
    const token = await this.#token({ attempt, deadline });
    await this.#preflight.before(token);
    const input = { ...request, WebIdentityToken: token };
    const call = { target, clock, signal, deadline, timeoutMs: options.attemptTimeoutMs };
    const calling =
      assumer === undefined
        ? assumeRole(input, { ...call, pool, env })
        : assumeRoleWith(assumer, input, call);
    this.#preflight.beside(token);
    try {
      return await calling;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      throw new AttemptError(await this.#preflight.after(token, error.failure, deadline));
    }
  }

  async #checkRequest(request: Omit<AssumeRoleInput, "WebIdentityToken">, target: StsTarget) {
    const findings = await checkRequest(request, target);
    const fatal = firstFatal(findings);
    if (fatal === undefined) return;
    throw new AttemptError({ kind: "request", code: fatal.id, message: fatal.detail, findings });
  }

  /** A token that is worth sending. */
  async #token({ attempt, deadline }: Attempt): Promise<string> {
    const { options, runtime, identity, signal, emit } = this.#context;
    const { clock } = runtime;
    const start = clock.monotonic();
    const loading = loadToken(identity.source, {
      name: identity.sourceName,
      timeoutMs: options.attemptTimeoutMs,
      remainingMs: deadline.remainingMs(),
      clock,
      signal,
      attempt,
    });
    // The SDK's modules load while the token is on its way: a cold start waits for one of the two.
    if (attempt === 1) runtime.pool.preload();
    const token = await loading;
    const ms = clock.monotonic() - start;
    const sameToken = this.#lastTokenExpired && token === this.#lastToken;
    this.#lastToken = token;
    const { findings, facts, validInMs } = this.#check(token);
    this.#facts = facts;
    const fatal = firstFatal(findings);
    if (fatal !== undefined) {
      const { id: code, detail: message } = fatal;
      throw new AttemptError({ kind: "token", code, message, findings, validInMs, sameToken });
    }
    if (sameToken) throw new AttemptError(expiredAgain());
    emit({ type: "token.loaded", attempt, ms: Math.round(ms), token: facts, findings });
    return token;
  }

  #check(token: string): ReturnType<typeof checkToken> {
    const { init, options, runtime } = this.#context;
    // An OAuth 2.0 access token is opaque, and an emulator may take anything.
    if (init.providerId !== undefined || !options.validateToken) return { findings: [] };
    return checkToken(token, { now: runtime.clock.now(), audiences: options.preflight.audiences });
  }

  #toError(error: unknown): WebIdentityError {
    if (error instanceof AttemptsFailed) {
      return explain(error, { roleArn: this.#context.identity.roleArn, token: this.#facts });
    }
    const cause = safeCause(error);
    return new WebIdentityError({
      code: "ERR_REQUEST_INVALID",
      message: `The STS request could not be made: ${cause.message} (role ${this.#context.identity.roleArn}).`,
      hint: "Check clientConfig, the region and the AWS profile.",
      cause,
    });
  }
}

/** STS called this very token expired, and the source has no other. */
function expiredAgain() {
  const message = "the source gave the expired token again";
  return { kind: "answer" as const, code: "ExpiredTokenException", message, sameToken: true };
}
