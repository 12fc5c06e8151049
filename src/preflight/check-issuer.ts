import type { Finding } from "../model/findings.js";
import type { IssuerReport } from "../model/issuer-report.js";
import { trimToken } from "../model/jwt.js";
import { systemClock } from "../runtime/clock.js";
import {
  checkSignal,
  checkString,
  checkStrings,
  checkType,
  expected,
  requireString,
  resolveNumber,
} from "../runtime/validators.js";
import { loadLook } from "./load-look.js";
import type { PreflightRuntime, PreflightSettings } from "./settings.js";
import { type Subject, subjectOfIssuer, subjectOfToken } from "./subject.js";

/** What is checked: a token with its issuer, key and signature, or an issuer and perhaps one key. */
export type CheckIssuerInput =
  | { readonly token: string; readonly issuer?: undefined; readonly kid?: undefined }
  | {
      readonly issuer: string;
      /** The key that tokens will name; an empty string is a kid too. */
      readonly kid?: string | undefined;
      readonly token?: undefined;
    };

export interface CheckIssuerOptions extends PreflightSettings {
  /** Ends the check: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Looks again at documents that are older than 30 s, whatever their headers allow, and a second
   * time (1 s later) for a key that is missing.
   * @default true
   */
  readonly fresh?: boolean | undefined;
}

/**
 * Looks at an issuer as STS does: discovery document, JWKS, the token's key, its signature. The
 * report says what STS cannot use, what may pass, and how long each request took.
 *
 * Whatever the world does is a finding. Documents that were fetched in the last 30 s are not
 * fetched again, but for a key that is missing.
 *
 * @throws TypeError when the input or an option is no such thing; the signal's reason.
 *
 * @example
 * ```ts
 * import { checkIssuer } from "resilient-sts";
 *
 * const { findings } = await checkIssuer({ issuer: "https://token.actions.githubusercontent.com" });
 * for (const { severity, detail, remedy } of findings) console.log(severity, detail, remedy);
 * ```
 */
export async function checkIssuer(
  input: CheckIssuerInput,
  options: CheckIssuerOptions = {},
): Promise<IssuerReport> {
  return await checkIssuerWith(input, options, { clock: systemClock, env: process.env });
}

/** {@link checkIssuer} with the clock, the environment and the network of the caller. */
export async function checkIssuerWith(
  input: CheckIssuerInput,
  options: CheckIssuerOptions,
  runtime: PreflightRuntime,
): Promise<IssuerReport> {
  const subject = readInput(input);
  checkOptions(options);
  const { signal = new AbortController().signal, fresh = true, ...settings } = options;
  signal.throwIfAborted();
  if ("severity" in subject) return { issuer: "", findings: [subject], requests: [] };
  // Somebody waits for this look, and nothing else may be keeping the process alive.
  const release = runtime.clock.hold();
  try {
    const { lookAtSubject } = await loadLook();
    return await lookAtSubject(subject, settings, runtime, { signal, fresh, table: true });
  } finally {
    release();
  }
}

function readInput(input: CheckIssuerInput): Subject | Finding {
  if (typeof input !== "object" || input === null) {
    throw expected("input", "to be an object with `token` or `issuer`", input);
  }
  const { token, issuer, kid } = input as Partial<Record<"token" | "issuer" | "kid", unknown>>;
  if (token !== undefined && (issuer ?? kid) !== undefined) {
    throw expected("input", "to have `token` alone, which names both, or `issuer`", input);
  }
  if (token !== undefined) return subjectOfToken(trimToken(requireString("token", token)));
  if (kid !== "") checkString("kid", kid);
  return subjectOfIssuer(requireString("issuer", issuer), kid as string | undefined);
}

function checkOptions(options: CheckIssuerOptions): void {
  const { timeoutMs, allowedIssuers, allowPrivateIssuers, fresh, signal } = options;
  resolveNumber("timeoutMs", timeoutMs, 0, 1, 60_000);
  checkStrings("allowedIssuers", allowedIssuers);
  checkType("allowPrivateIssuers", allowPrivateIssuers, "boolean");
  checkType("fresh", fresh, "boolean");
  checkSignal(signal);
}
