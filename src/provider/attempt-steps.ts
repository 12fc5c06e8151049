import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure } from "../model/failure.js";
import type { IssuerReport } from "../model/findings.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import type { Preflight, PreflightCheckOptions } from "../preflight/issuer-check.js";
import type { Attempt } from "../retry/retry-loop.js";
import { confirmFindings, judge, keyRefusalOf } from "../retry/verdict.js";
import { withTimeout } from "../runtime/abort.js";
import type { Clock, Deadline } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";
import type { ServerClock } from "../sts/server-clock.js";
import { type CheckedToken, checkToken } from "../token/check.js";
import { loadToken } from "../token/load-token.js";
import type { Identity, PreflightMode } from "./options.js";
import type { ProviderReporter } from "./provider-reporter.js";

/*
 * The steps of an attempt besides the STS call: reading and checking the token, and checking the token's
 * issuer. Each step lives as long as one refresh, and remembers what it found in earlier attempts.
 */

interface TokenStepOptions {
  readonly identity: Identity;
  readonly limits: TokenLimits;
  readonly clock: Clock;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

export interface TokenLimits {
  /** The limit of one token read, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** Whether the token is checked before it is sent. */
  readonly isChecked: boolean;
  /** The lifetime that a token should have left, in seconds. */
  readonly neededSeconds: number;
  /** Audiences that are expected besides `sts.amazonaws.com`. */
  readonly audiences: readonly string[] | undefined;
}

/** The first step of every attempt of one refresh: reads a token, and checks that STS may accept it. */
export class TokenStep {
  readonly #options: TokenStepOptions;
  #last: string | undefined;
  #lastExpired = false;
  #serverClock: ServerClock | undefined;
  #checked: CheckedToken | undefined;

  constructor(options: TokenStepOptions) {
    this.#options = options;
  }

  /** The facts of the last token. */
  get facts(): TokenFacts | undefined {
    return this.#checked?.facts;
  }

  /** Records whether the attempt failed because the token had expired: an expired token is not sent twice. */
  attemptFailed(expired: boolean): void {
    this.#lastExpired = expired;
  }

  /**
   * @param serverClock - of the STS endpoint that will get the token, if it is known.
   * @throws AttemptError, or the signal's reason.
   */
  async run({ attempt, deadline }: Attempt, serverClock?: ServerClock): Promise<string> {
    const { identity, limits, clock, signal, emit } = this.#options;
    const start = clock.monotonic();
    const token = await loadToken(identity.source, {
      name: identity.sourceName,
      timeoutMs: limits.attemptTimeoutMs,
      remainingMs: deadline.remainingMs(),
      clock,
      signal,
      attempt,
    });
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
      throw new AttemptError(this.withoutNewerToken(failure));
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

  /** The failure; marked as permanent if the token has expired and its source can't get a newer one. */
  withoutNewerToken(failure: Failure): Failure {
    const { source, sourceName } = this.#options.identity;
    if (source.renewable !== false || judge(failure) !== "token-expired") return failure;
    // Checked again, because the response of STS has shown its clock, or that it refuses this token.
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
    const { limits, clock } = this.#options;
    if (!limits.isChecked) return { findings: [] };
    const { neededSeconds, audiences } = limits;
    const serverClock = this.#serverClock;
    // The clock of STS counts. Until a response has shown it, no token is refused for its times.
    const { now, isVerified } = serverClock?.read() ?? { now: clock.now(), isVerified: false };
    const isRefused = serverClock?.isKnownExpired(token) ?? false;
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
      "Workload: start the job or the process again. If it runs longer than its token, use a source that renews the token, or request longer sessions (durationSeconds).",
    evidence: expired?.evidence ?? {},
  };
}

/** STS called this token expired, and the source returned it again. */
const EXPIRED_AGAIN: Failure = {
  kind: "response",
  code: "ExpiredTokenException",
  message: "the token source returned the expired token again",
  sameToken: true,
};

interface IssuerCheckStepOptions {
  readonly preflight: Preflight;
  readonly mode: PreflightMode;
  readonly reporter: ProviderReporter;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

type CheckOptions = Omit<PreflightCheckOptions, "signal">;

/**
 * How long an advisory issuer check waits for STS to respond before it starts, in milliseconds. STS
 * usually responds sooner, and then the issuer gets no request. In a simulated fleet of 10,000
 * processes, checks that started with each call were most of the issuer's load, and none of them helped.
 */
const CHECK_AFTER_MS = 1_000;

/** The issuer check of each attempt of one refresh: before, during or after the STS call, or never. */
export class IssuerCheckStep {
  readonly #options: IssuerCheckStepOptions;
  /** The findings of the last report: those of unchanged documents are reported once. */
  #reported = "";
  /** The suspect findings of the last check in this refresh. */
  #suspected: readonly Finding[] = [];

  constructor(options: IssuerCheckStepOptions) {
    this.#options = options;
  }

  /**
   * In strict mode: the issuer check before the STS call. The check gets half of the remaining retry
   * budget, and the call the other half: an issuer that this machine can't reach may respond to STS.
   *
   * @throws AttemptError when it is certain that STS can't verify the token.
   */
  async beforeCall(token: string, deadline: Deadline): Promise<void> {
    if (this.#options.mode !== "strict") return;
    const report = await this.#checkWithin(deadline.remainingMs() / 2, token, {});
    const findings = report?.findings ?? [];
    const fatal = firstFatal(findings);
    if (fatal === undefined) return;
    const { id: code, detail: message } = fatal;
    throw new AttemptError({ kind: "preflight", code, message, findings });
  }

  /**
   * In advisory mode: an issuer check during a slow STS call. The attempt waits for it only if STS fails.
   *
   * @returns a function to call when STS has responded: a check that has not started by then never starts.
   */
  duringCall(token: string): () => void {
    const { mode, clock, signal } = this.#options;
    if (mode !== "advisory") return () => {};
    return clock.schedule(CHECK_AFTER_MS, () => {
      // It rejects only with the signal's reason, which ends the whole refresh.
      this.#check(token, { signal }).catch(() => {});
    });
  }

  /**
   * Adds the findings of an issuer check to the failure: whether the issuer publishes the key that STS
   * could not get, or why STS called the token invalid.
   */
  async afterFailure(token: string, failure: Failure, deadline: Deadline): Promise<Failure> {
    const { mode } = this.#options;
    const verdict = judge(failure);
    const concernsKey = verdict === "idp-unreachable" || verdict === "token-rejected";
    if (mode === "off" || !concernsKey) return failure;
    const mustAgree = keyRefusalOf(failure) === "not-validated";
    const how = { fresh: true, mustAgree };
    const report = await this.#checkWithin(deadline.remainingMs(), token, how);
    // The budget has run out, so no attempt follows: an earlier suspicion is better than none.
    const findings = report?.findings ?? this.#suspected;
    return { ...failure, findings: confirmFindings(findings, failure) };
  }

  /** Returns `undefined` if the check takes longer than `timeoutMs`. */
  async #checkWithin(
    timeoutMs: number,
    token: string,
    how: CheckOptions,
  ): Promise<IssuerReport | undefined> {
    const { clock, signal } = this.#options;
    const reason = new Error("the issuer check takes longer");
    try {
      return await withTimeout({ clock, signal, timeoutMs, reason }, (limited) =>
        this.#check(token, { ...how, signal: limited }),
      );
    } catch (error) {
      if (error === reason) return undefined;
      throw error;
    }
  }

  async #check(token: string, how: PreflightCheckOptions): Promise<IssuerReport> {
    const { preflight, reporter } = this.#options;
    const report = await preflight.check(token, how);
    const { issuer, findings, requests } = report;
    // Nothing was checked, because the token names no issuer.
    if (issuer === "") return report;
    reporter.issuerChecked(report);
    this.#suspected = findings.filter(({ severity }) => severity === "suspect");
    const news = JSON.stringify(findings.map(({ id, severity }) => [id, severity]));
    if (news !== this.#reported || requests.some(({ fromCache }) => !fromCache)) {
      this.#reported = news;
      reporter.emit({ type: "preflight.finished", issuer, findings, requests });
    }
    return report;
  }
}
