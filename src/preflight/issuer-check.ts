// This folder reads an issuer's discovery document and JWKS the way STS does, and reports what STS
// can't use: the issuer check (option `preflight`).
//
//   issuer-check.ts      the entry: createPreflight() for a provider, checkIssuer() for all other callers
//   subject.ts           the issuer and the key that a check is about; the URL of the discovery document
//   run-issuer-check.ts  one check of one token: which documents it needs, which findings are certain
//   issuer-cache.ts      the issuers that all checks of this process share, with their documents
//   fetch-document.ts    one guarded, limited and measured request (guarded-lookup.ts, proxy.ts)
//   discovery.ts         reads the discovery document
//   key-set.ts           reads the JWKS, and finds what is wrong with each key
//   token-key.ts         chooses the token's key, verifies the signature with it, and makes the findings
//
// They use key-history.ts, which remembers earlier responses, freshness.ts, which reads caching headers,
// json-document.ts, which parses, and document-findings.ts, which makes the findings about requests.
//
// A process loads only this file and subject.ts at the start. The first check, which most processes
// never need, loads the rest.

import type { Finding, IssuerReport } from "../model/findings.js";
import { trimToken } from "../model/jwt.js";
import { linkedController, throwIfAborted } from "../runtime/abort.js";
import { systemClock } from "../runtime/clock.js";
import {
  checkKeys,
  checkNumber,
  checkSignal,
  checkString,
  checkStrings,
  checkType,
  expected,
  requireString,
} from "../runtime/validators.js";
import type { PreflightRuntime, PreflightSettings } from "./run-issuer-check.js";
import { type Subject, subjectOfIssuer, subjectOfToken } from "./subject.js";

/** The input of {@link checkIssuer}: a token, or an issuer and optionally the kid of one key. */
export type CheckIssuerInput =
  | { readonly token: string; readonly issuer?: undefined; readonly kid?: undefined }
  | {
      readonly issuer: string;
      /** The kid that tokens will name. The empty string is a kid too. */
      readonly kid?: string | undefined;
      readonly token?: undefined;
    };

/** Options of {@link checkIssuer}. */
export interface CheckIssuerOptions extends PreflightSettings {
  /** Aborts the check, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Fetches documents again that are older than 30 s, even if their headers allow longer caching, and
   * fetches the JWKS a second time, 1 s later, when the key is missing.
   * @default true
   */
  readonly fresh?: boolean | undefined;
}

/**
 * Checks an issuer the way STS does: discovery document, JWKS, the token's key and its signature.
 * The report lists what STS can't use, what may be temporary, and how long each request took.
 *
 * Faults of the issuer or the network are findings, never errors. Documents that were fetched within
 * the last 30 s are not fetched again, except for a missing key.
 *
 * @throws TypeError when the input or an option is invalid; the signal's reason when it aborts.
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

/** {@link checkIssuer} with the caller's clock, environment and network. */
export async function checkIssuerWith(
  input: CheckIssuerInput,
  options: CheckIssuerOptions,
  runtime: PreflightRuntime,
): Promise<IssuerReport> {
  const subject = readInput(input);
  validateOptions(options);
  const { signal: caller = new AbortController().signal, fresh = true, ...settings } = options;
  throwIfAborted(caller);
  if ("severity" in subject) return { issuer: "", findings: [subject], requests: [] };
  // The caller's signal may be of an older library, whose signals lack members that Node uses.
  const { controller, unlink } = linkedController(caller);
  // The caller waits for this check, and perhaps nothing else keeps the process alive.
  const release = runtime.clock.hold();
  try {
    const { runIssuerCheck } = await loadIssuerCheck();
    const { signal } = controller;
    const how = { signal, fresh, mustAgree: false, listKeys: true };
    return await runIssuerCheck({ subject, settings, runtime, ...how });
  } finally {
    unlink();
    release();
  }
}

export interface PreflightCheckOptions {
  /** Ends the wait. Requests that other checks wait for continue. */
  readonly signal: AbortSignal;
  /**
   * Set after STS failed to get the key. Documents older than 30 s are then fetched again, and for a
   * missing key the check waits until a second fetch is due (1 s).
   * @default false
   */
  readonly fresh?: boolean | undefined;
  /**
   * Set after STS reported that it could not validate the token, which it also reports for a key in a
   * form that it refuses. The documents are then fetched until enough responses agree, for up to 5 s, even
   * if nothing in the first one is wrong: STS may have reached another replica of the issuer.
   * @default false
   */
  readonly mustAgree?: boolean | undefined;
}

export interface Preflight {
  /**
   * Checks the token's issuer. The check keeps the process alive only while it resolves a name or opens a
   * connection, because Node can't release those. For a token without a usable issuer the report is
   * empty: the token check reports that.
   *
   * @throws the signal's reason, and nothing else.
   */
  check(token: string, options: PreflightCheckOptions): Promise<IssuerReport>;
}

/** Creates the issuer check of one provider. All issuer checks of a process share the documents. */
export function createPreflight(settings: PreflightSettings, runtime: PreflightRuntime): Preflight {
  return {
    async check(token, { signal, fresh = false, mustAgree = false }) {
      signal.throwIfAborted();
      const subject = subjectOfToken(token);
      if ("severity" in subject) return { issuer: "", findings: [], requests: [] };
      const { runIssuerCheck } = await loadIssuerCheck();
      const how = { signal, fresh, mustAgree, listKeys: false };
      return await runIssuerCheck({ subject, settings, runtime, ...how });
    },
  };
}

let loading: Promise<typeof import("./run-issuer-check.js")> | undefined;

/**
 * Loads most of this folder with the first check. The promise is kept, because tools that hook into
 * imports (tracers, transpilers) spend more time on each `import()` than a cached check takes.
 */
function loadIssuerCheck(): Promise<typeof import("./run-issuer-check.js")> {
  loading ??= import("./run-issuer-check.js").catch((error: unknown) => {
    // The cause may be temporary, for example too many open files.
    loading = undefined;
    throw error;
  });
  return loading;
}

function readInput(input: CheckIssuerInput): Subject | Finding {
  if (typeof input !== "object" || input === null) {
    throw expected("input", "to be an object with `token` or `issuer`", input);
  }
  checkKeys("input", input, ["token", "issuer", "kid"]);
  const { token, issuer, kid } = input as Partial<Record<"token" | "issuer" | "kid", unknown>>;
  if (token !== undefined && (issuer ?? kid) !== undefined) {
    throw expected("input", "to have only `token`, which names both, or `issuer`", input);
  }
  if (token !== undefined) return subjectOfToken(trimToken(requireString("token", token)));
  if (kid !== "") checkString("kid", kid);
  return subjectOfIssuer(requireString("issuer", issuer), kid as string | undefined);
}

/** The settings that a provider's `preflight` and {@link checkIssuer} have in common. */
export const PREFLIGHT_SETTINGS = ["timeoutMs", "allowedIssuers", "allowPrivateIssuers"] as const;

/** @throws TypeError that names the setting, with `prefix` before its name. */
export function checkPreflightSettings(settings: PreflightSettings, prefix = ""): void {
  const { timeoutMs, allowedIssuers, allowPrivateIssuers } = settings;
  checkNumber(`${prefix}timeoutMs`, timeoutMs, { min: 1, max: 60_000 });
  checkStrings(`${prefix}allowedIssuers`, allowedIssuers);
  checkType(`${prefix}allowPrivateIssuers`, allowPrivateIssuers, "boolean");
}

function validateOptions(options: CheckIssuerOptions): void {
  checkKeys("options", options, [...PREFLIGHT_SETTINGS, "fresh", "signal"]);
  checkPreflightSettings(options);
  checkType("fresh", options.fresh, "boolean");
  checkSignal("signal", options.signal);
}
