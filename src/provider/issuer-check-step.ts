import { AttemptError, type Failure } from "../model/failure.js";
import { type Finding, firstFatal, type IssuerReport } from "../model/findings.js";
import type { Preflight, PreflightCheckOptions } from "../preflight/issuer-check.js";
import { confirmedBy, judge, keyRefusalOf } from "../retry/verdict.js";
import { withTimeout } from "../runtime/abort.js";
import type { Clock, Deadline } from "../runtime/clock.js";
import type { PreflightMode } from "./options.js";
import type { ProviderReporter } from "./provider-reporter.js";

interface IssuerCheckStepOptions {
  readonly preflight: Preflight;
  readonly mode: PreflightMode;
  readonly reporter: ProviderReporter;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

type CheckOptions = Omit<PreflightCheckOptions, "signal">;

/**
 * How long an advisory issuer check waits for STS to answer before it starts, in milliseconds. STS
 * usually answers sooner, and then the issuer gets no request. In a simulated fleet of 10,000
 * processes, checks that started with each call were most of the issuer's load, and none of them helped.
 */
const CHECK_AFTER_MS = 1_000;

/** When an attempt checks the issuer: before the STS call, during a slow one, after a failure, or never. */
export class IssuerCheckStep {
  readonly #options: IssuerCheckStepOptions;
  /** What was reported last: the same findings of the same documents are reported once. */
  #reported = "";
  /** The suspicions of the last check in this refresh. */
  #suspected: readonly Finding[] = [];

  constructor(options: IssuerCheckStepOptions) {
    this.#options = options;
  }

  /**
   * In strict mode: STS is asked only after the issuer check. The check gets half of the remaining retry
   * budget, and the call the other half: an issuer that does not answer here may answer STS.
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
   * In advisory mode: a check during the call, if the call takes long. The attempt waits for it only if
   * STS fails.
   *
   * @returns must be called when STS has answered: a check that has not started by then is not needed.
   */
  duringCall(token: string): () => void {
    const { mode, clock, signal } = this.#options;
    if (mode !== "advisory") return () => {};
    return clock.schedule(CHECK_AFTER_MS, () => {
      // It fails only with the signal's reason, which ends the whole refresh.
      this.#check(token, { signal }).catch(() => {});
    });
  }

  /**
   * The failure with the findings of an issuer check: whether the key that STS could not get is there, or
   * why STS called the token invalid.
   */
  async afterFailure(token: string, failure: Failure, deadline: Deadline): Promise<Failure> {
    const { mode } = this.#options;
    const verdict = judge(failure);
    const concernsKey = verdict === "idp-unreachable" || verdict === "token-rejected";
    if (mode === "off" || !concernsKey) return failure;
    const mustAgree = keyRefusalOf(failure) === "not-validated";
    const how = { fresh: true, mustAgree };
    const report = await this.#checkWithin(deadline.remainingMs(), token, how);
    // The budget is used up, so there is no other attempt: an earlier suspicion is better than nothing.
    const findings = report?.findings ?? this.#suspected;
    return { ...failure, findings: confirmedBy(findings, failure) };
  }

  /** `undefined` if the check takes longer. */
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
    // Nothing was checked: the token names no issuer.
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
