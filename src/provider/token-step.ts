import type { TokenFacts } from "../model/attempt.js";
import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure } from "../model/failure.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { Attempt } from "../retry/retry-loop.js";
import { judge } from "../retry/verdict.js";
import { safeText } from "../runtime/redact.js";
import type { ServerClock } from "../sts/server-clock.js";
import { type CheckedToken, checkToken } from "../token/check.js";
import { loadToken } from "../token/token-source.js";
import type { Identity } from "./identity.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { Runtime } from "./runtime.js";

interface TokenStepOptions {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly identity: Identity;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** The first step of every attempt of one refresh: a token that is worth sending. */
export class TokenStep {
  readonly #options: TokenStepOptions;
  #last: string | undefined;
  #lastExpired = false;
  #serverClock: ServerClock | undefined;
  #checked: CheckedToken | undefined;

  constructor(options: TokenStepOptions) {
    this.#options = options;
  }

  /** What could be read off the last token. */
  get facts(): TokenFacts | undefined {
    return this.#checked?.facts;
  }

  /** Told after every failed attempt: an expired token is not sent twice. */
  attemptFailed(expired: boolean): void {
    this.#lastExpired = expired;
  }

  /**
   * @param serverClock - of the STS that the token is for, as far as that is known.
   * @throws AttemptError, or the signal's reason.
   */
  async run({ attempt, deadline }: Attempt, serverClock?: ServerClock): Promise<string> {
    const { options, runtime, identity, signal, emit } = this.#options;
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
    const ms = Math.round(clock.monotonic() - start);

    const sameToken = this.#lastExpired && token === this.#last;
    this.#last = token;
    this.#serverClock = serverClock;
    const checked = this.#check(token);
    this.#checked = checked;
    const { findings, validInMs } = checked;
    const fatal = firstFatal(findings);
    if (fatal !== undefined) {
      const { id: code, detail: message } = fatal;
      const failure: Failure = { kind: "token", code, message, findings, validInMs, sameToken };
      throw new AttemptError(this.withoutRenewal(failure));
    }
    if (sameToken) throw new AttemptError(EXPIRED_AGAIN);
    emit({
      type: "token.loaded",
      attempt,
      ms,
      get token() {
        return checked.facts;
      },
      findings,
    });
    return token;
  }

  /** Ends the attempts over an expired token whose source has no other, and says so. */
  withoutRenewal(failure: Failure): Failure {
    const { source, sourceName } = this.#options.identity;
    if (source.renewable !== false || judge(failure) !== "token-expired") return failure;
    // Now that STS has answered, its clock, or its refusal, says more than before the call.
    const { findings = this.#check(this.#last ?? "").findings } = failure;
    const expired = findings.find(({ id }) => id === "token-expired");
    const others = findings.filter((finding) => finding !== expired);
    return {
      ...failure,
      retryable: false,
      findings: [expiredForGood(sourceName, expired), ...others],
    };
  }

  #check(token: string): CheckedToken {
    const { init, options, runtime } = this.#options;
    // An OAuth 2.0 access token is opaque, and an emulator may take anything.
    if (init.providerId !== undefined || !options.validateToken) return { findings: [] };
    const neededSeconds = options.retry.budgetMs / 1000;
    const { audiences } = options.preflight;
    const serverClock = this.#serverClock;
    // By STS's clock, once an answer has shown it; until then, times keep no token from STS.
    const { now, isVerified } = serverClock?.read() ?? {
      now: runtime.clock.now(),
      isVerified: false,
    };
    const isRefused = serverClock?.hasCalledExpired(token) ?? false;
    return checkToken(token, { now, isVerified, isRefused, neededSeconds, audiences });
  }
}

function expiredForGood(sourceName: string, expired: Finding | undefined): Finding {
  return {
    id: "token-expired",
    severity: "fatal",
    title: "The token has expired, and its source can't get a newer one.",
    detail: `${expired?.detail ?? "The token has expired."} ${safeText(sourceName)} can't get a newer one.`,
    remedy:
      "Workload: start the job or the process again. If it runs longer than its token, use a source that renews the token, or ask for longer sessions (durationSeconds).",
    evidence: expired?.evidence ?? {},
  };
}

/** STS called this very token expired, and the source has no other. */
const EXPIRED_AGAIN: Failure = {
  kind: "answer",
  code: "ExpiredTokenException",
  message: "the source gave the expired token again",
  sameToken: true,
};
