import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure } from "../model/failure.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import type { Attempt } from "../retry/retry-loop.js";
import { judge } from "../retry/verdict.js";
import type { Clock } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";
import type { ServerClock } from "../sts/server-clock.js";
import { type CheckedToken, checkToken } from "../token/check.js";
import { loadToken } from "../token/token-source.js";
import type { Identity } from "./options.js";

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

  /** Notes why the attempt failed: an expired token is not sent twice. */
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

  /** The failure, not to be retried if the token has expired and its source can't get a newer one. */
  withoutNewerToken(failure: Failure): Failure {
    const { source, sourceName } = this.#options.identity;
    if (source.renewable !== false || judge(failure) !== "token-expired") return failure;
    // Checked again: the answer of STS has shown its clock, or that it refuses this token.
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
    // The clock of STS counts. Until an answer has shown it, no token is refused because of its times.
    const { now, isVerified } = serverClock?.read() ?? { now: clock.now(), isVerified: false };
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

/** STS called this token expired, and the source returned it again. */
const EXPIRED_AGAIN: Failure = {
  kind: "answer",
  code: "ExpiredTokenException",
  message: "the source gave the expired token again",
  sameToken: true,
};
