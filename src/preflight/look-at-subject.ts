import type { Finding, Severity } from "../model/findings.js";
import type { IssuerReport } from "../model/issuer-report.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import type { Clock } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { isLoopbackUrl } from "../runtime/loopback.js";
import { safeText } from "../runtime/redact.js";
import { resolveHost } from "./guarded-lookup.js";
import { IssuerCache } from "./issuer-cache.js";
import { lookAt } from "./look.js";
import type { PreflightRuntime, PreflightSettings } from "./settings.js";
import type { Subject } from "./subject.js";
import { keyTable } from "./token-key.js";

interface SubjectLook {
  readonly signal: AbortSignal;
  readonly fresh: boolean;
  /** Whether the keys are listed. */
  readonly table: boolean;
}

/** One look, as a report. */
export async function lookAtSubject(
  subject: Subject,
  settings: PreflightSettings,
  runtime: PreflightRuntime,
  { signal, fresh, table }: SubjectLook,
): Promise<IssuerReport> {
  const { clock, env } = runtime;
  const name = safeText(subject.issuer, 200);
  const { allowedIssuers, timeoutMs = STS_ISSUER_TIMEOUT_MS } = settings;
  if (allowedIssuers && !allowedIssuers.includes(subject.issuer)) {
    return { issuer: name, findings: [notAllowed(name)], requests: [] };
  }
  const { resolve = resolveHost, ca } = runtime;
  const transport = { env, resolve, ca };
  const allowPrivate = settings.allowPrivateIssuers ?? isAllowedLoopback(subject.issuer, env);
  const issuers = runtime.issuers ?? sharedIssuers(clock);
  const issuer = issuers.of(subject.issuer, { clock, transport, allowPrivate, timeoutMs });
  if (issuer === undefined) return { issuer: name, findings: [], requests: [] };
  const { findings, snapshot } = await lookAt(issuer, subject, { clock, signal, fresh });
  return {
    issuer: name,
    findings: bySeverity(findings),
    requests: snapshot.requests,
    ...(table && snapshot.keys && { keys: keyTable(snapshot.keys.keySet, subject) }),
  };
}

/**
 * Set by `resilient-sts emulate`, so that a service behaves towards a local issuer as it does towards
 * its own in production. Any other issuer at a private address is refused as before.
 */
const LOOPBACK_VARIABLE = "RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS";

function isAllowedLoopback(issuer: string, env: Environment): boolean {
  if (readVariable(env, LOOPBACK_VARIABLE)?.toLowerCase() !== "true") return false;
  return URL.canParse(issuer) && isLoopbackUrl(new URL(issuer));
}

/** One for each clock: the process has one, and a test's time is its own. */
const shared = new WeakMap<Clock, IssuerCache>();

function sharedIssuers(clock: Clock): IssuerCache {
  const issuers = shared.get(clock) ?? new IssuerCache();
  shared.set(clock, issuers);
  return issuers;
}

const ORDER: readonly Severity[] = ["fatal", "suspect", "advice", "info"];

function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}

function notAllowed(issuer: string): Finding {
  return {
    id: "issuer-not-allowed",
    severity: "info",
    title: "The issuer is not an allowed one, so its documents were not requested.",
    detail: `\`allowedIssuers\` does not contain ${JSON.stringify(issuer)}.`,
    remedy: "Workload: add the issuer to `allowedIssuers`, if its tokens are expected here.",
    evidence: { issuer },
  };
}
