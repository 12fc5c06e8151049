import type { Clock } from "../clock.js";
import type { Environment } from "../environment.js";
import type { Finding, Severity } from "../findings.js";
import type { IssuerReport } from "../issuer-report.js";
import { printable } from "../redact.js";
import { type ResolveHost, resolveHost } from "./guarded-lookup.js";
import { IssuerCache } from "./issuer-cache.js";
import { keyTable } from "./key-table.js";
import { lookAt } from "./look.js";
import { type Subject, subjectOfToken } from "./subject.js";

/** Whom the pre-flight may ask, and for how long. */
export interface PreflightSettings {
  /**
   * Limit of both requests together, in milliseconds.
   * @default 5000, as STS waits
   */
  readonly timeoutMs?: number | undefined;
  /** The only issuers that are asked, letter for letter. @default every public one */
  readonly allowedIssuers?: readonly string[] | undefined;
  /**
   * Asks issuers at private, loopback and link-local addresses too, and http on this machine. A
   * token names its issuer: switch it on only where tokens do not come from strangers.
   * @default false
   */
  readonly allowPrivateIssuers?: boolean | undefined;
}

/** What the pre-flight stands on. */
export interface PreflightRuntime {
  readonly clock: Clock;
  readonly env: Environment;
  /** @default one for all that share the clock, and so for the process */
  readonly issuers?: IssuerCache | undefined;
  /** @default the system's resolver */
  readonly resolve?: ResolveHost | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | Buffer | undefined;
}

export interface LookOptions {
  /** Ends the wait; the visit to the issuer goes on for others, without keeping the process alive. */
  readonly signal: AbortSignal;
  /**
   * Says that STS has just failed to get the key, so that documents older than 30 s are looked at
   * again, and a missing key is waited for until a second look is due (1 s).
   * @default false
   */
  readonly fresh?: boolean | undefined;
  /**
   * Says that nobody waits for this look: it does not keep the process alive.
   * @default false
   */
  readonly background?: boolean | undefined;
}

export interface Preflight {
  /**
   * Looks at what the token's issuer publishes. Keeps the process alive until it settles, unless in
   * the background. A token that names no issuer gives an empty report: that is the token check's
   * business.
   *
   * @throws the signal's reason, and nothing else.
   */
  look(token: string, options: LookOptions): Promise<IssuerReport>;
}

/** STS's own limit for the issuer (AWS re:Post, "Couldn't retrieve verification key"). */
const DEFAULT_TIMEOUT_MS = 5_000;

/** A pre-flight whose documents are shared by the whole process. */
export function createPreflight(settings: PreflightSettings, runtime: PreflightRuntime): Preflight {
  return {
    async look(token, { signal, fresh = false, background = false }) {
      signal.throwIfAborted();
      const subject = subjectOfToken(token);
      if ("severity" in subject) return { issuer: "", findings: [], requests: [] };
      const how = { signal, fresh, background, table: false };
      return await lookAtSubject(subject, settings, runtime, how);
    },
  };
}

interface SubjectLook {
  readonly signal: AbortSignal;
  readonly fresh: boolean;
  readonly background: boolean;
  /** Whether the keys are listed. */
  readonly table: boolean;
}

/** One look, as a report. */
export async function lookAtSubject(
  subject: Subject,
  settings: PreflightSettings,
  runtime: PreflightRuntime,
  { signal, fresh, background, table }: SubjectLook,
): Promise<IssuerReport> {
  const { clock, env } = runtime;
  const name = printable(subject.issuer, 200);
  const { allowedIssuers, timeoutMs = DEFAULT_TIMEOUT_MS } = settings;
  if (allowedIssuers && !allowedIssuers.includes(subject.issuer)) {
    return { issuer: name, findings: [notAllowed(name)], requests: [] };
  }
  const { resolve = resolveHost, ca } = runtime;
  const transport = { env, resolve, ca };
  const allowPrivate = settings.allowPrivateIssuers ?? false;
  const issuers = runtime.issuers ?? sharedIssuers(clock);
  const issuer = issuers.of(subject.issuer, { clock, transport, allowPrivate, timeoutMs });
  if (issuer === undefined) return { issuer: name, findings: [], requests: [] };
  const release = background ? () => {} : clock.hold();
  try {
    const { findings, snapshot } = await lookAt(issuer, subject, { clock, signal, fresh });
    return {
      issuer: name,
      findings: bySeverity(findings),
      requests: snapshot.requests,
      ...(table && snapshot.keys && { keys: keyTable(snapshot.keys.keySet, subject) }),
    };
  } finally {
    release();
  }
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
    title: "The issuer is not among those that may be asked, so its documents were not looked at.",
    detail: `\`allowedIssuers\` does not contain ${JSON.stringify(issuer)}.`,
    remedy: "Workload: add the issuer to `allowedIssuers`, if its tokens are expected here.",
    evidence: { issuer },
  };
}
