import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure } from "../model/failure.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { IssuerReport } from "../model/issuer-report.js";
import type { Preflight, PreflightCheckOptions } from "../preflight/issuer-check.js";
import { confirmedBy, keyRefusalOf } from "../retry/confirmation.js";
import { judge } from "../retry/verdict.js";
import { withTimeout } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";
import type { Deadline } from "../runtime/deadline.js";
import type { PreflightMode } from "./options.js";

interface AttemptPreflightOptions {
  readonly preflight: Preflight;
  readonly mode: PreflightMode;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly onReport: (report: IssuerReport) => void;
}

type HowToLook = Omit<PreflightCheckOptions, "signal">;

/**
 * How long STS has not answered when an advisory look starts beside its call. A sound STS answers
 * sooner, and an issuer that STS has no trouble with is left alone: of what a fleet of 10,000 asks
 * of its issuer, looks at once were most, and none of them was of use (`npm run bench -- fleet`).
 */
const LOOK_AFTER_MS = 1_000;

/** Where the look at the issuer comes in: before the STS call, beside it, after it failed, or never. */
export class AttemptPreflight {
  readonly #options: AttemptPreflightOptions;
  /** What was told last: the same findings from the same documents are told once. */
  #told = "";
  /** What the last look of this refresh suspected. */
  #suspected: readonly Finding[] = [];

  constructor(options: AttemptPreflightOptions) {
    this.#options = options;
  }

  /**
   * In strict mode: the look that STS is not asked without. It leaves half of what remains of the
   * retry budget to the call: an issuer that says nothing here may well answer STS.
   *
   * @throws AttemptError when it is certain that STS cannot verify the token.
   */
  async before(token: string, deadline: Deadline): Promise<void> {
    if (this.#options.mode !== "strict") return;
    const report = await this.#lookWithin(deadline.remainingMs() / 2, token, {});
    const findings = report?.findings ?? [];
    const fatal = firstFatal(findings);
    if (fatal === undefined) return;
    const { id: code, detail: message } = fatal;
    throw new AttemptError({ kind: "preflight", code, message, findings });
  }

  /**
   * In advisory mode: a look beside the call, if that takes long. Nobody waits for it unless STS
   * fails.
   *
   * @returns to be called when STS has answered: a look that has not started then is not needed.
   */
  beside(token: string): () => void {
    const { mode, clock, signal } = this.#options;
    if (mode !== "advisory") return () => {};
    return clock.schedule(LOOK_AFTER_MS, () => {
      // What it throws is the reason of an end that everybody else hears of too.
      this.#look(token, signal).catch(() => {});
    });
  }

  /**
   * The failure with what was found at the issuer: whether the key that STS could not get is there,
   * or why STS took the token for invalid.
   */
  async after(token: string, failure: Failure, deadline: Deadline): Promise<Failure> {
    const { mode } = this.#options;
    const verdict = judge(failure);
    const aboutTheKey = verdict === "idp-unreachable" || verdict === "token-rejected";
    if (mode === "off" || !aboutTheKey) return failure;
    const mustAgree = keyRefusalOf(failure) === "not-validated";
    const report = await this.#lookWithin(deadline.remainingMs(), token, {
      fresh: true,
      mustAgree,
    });
    // What an earlier look suspected is better than nothing: there is no other attempt to come.
    const findings = report?.findings ?? this.#suspected;
    return { ...failure, findings: confirmedBy(findings, failure) };
  }

  /** A look, unless the time is up before it ends. */
  async #lookWithin(
    timeoutMs: number,
    token: string,
    how: HowToLook,
  ): Promise<IssuerReport | undefined> {
    const { clock, signal } = this.#options;
    const reason = new Error("the time for the look was up");
    try {
      return await withTimeout({ clock, signal, timeoutMs, reason }, (limited) =>
        this.#look(token, limited, how),
      );
    } catch (error) {
      if (error === reason) return undefined;
      throw error;
    }
  }

  async #look(token: string, signal: AbortSignal, how: HowToLook = {}): Promise<IssuerReport> {
    const { preflight, emit, onReport } = this.#options;
    const report = await preflight.check(token, { signal, ...how });
    const { issuer, findings, requests } = report;
    // A token that names no issuer: nothing was looked at.
    if (issuer === "") return report;
    onReport(report);
    this.#suspected = findings.filter(({ severity }) => severity === "suspect");
    const news = JSON.stringify(findings.map(({ id, severity }) => [id, severity]));
    if (news !== this.#told || requests.some(({ fromCache }) => !fromCache)) {
      this.#told = news;
      emit({ type: "preflight.finished", issuer, findings, requests });
    }
    return report;
  }
}
