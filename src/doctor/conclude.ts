// Draws the conclusions from all facts: the findings of each subject, certificates that expire soon, the
// root cause (by the ranking of all findings) and the verdict.

import type { Failure } from "../model/failure.js";
import { bySeverity, type Finding, type FindingId } from "../model/findings.js";
import { confirmFindings } from "../retry/verdict.js";
import { issuerFindings, unreadFindings } from "./conclude-issuer.js";
import { storeFindings } from "./conclude-store.js";
import { callFinding, completeFinding, stsFindings, weakenCutOff } from "./conclude-sts.js";
import type { Diagnosis, Facts, Timing } from "./diagnosis.js";

/** Everything from which the conclusions are drawn. */
export interface Gathered {
  readonly facts: Facts;
  readonly timings: readonly Timing[];
  /** Findings about the token. */
  readonly token: readonly Finding[];
  /** Findings about the request to STS, before it is sent. */
  readonly request: readonly Finding[];
  /** Findings of the issuer check. */
  readonly issuer: readonly Finding[];
  /** Why the real call failed, if it did. */
  readonly failure?: Failure | undefined;
}

/** Draws the conclusions. A pure function: the same facts always give the same diagnosis. */
export function conclude(gathered: Gathered): Diagnosis {
  const { facts, timings, failure } = gathered;
  const isAccepted = facts.assumeRole?.outcome === "ok";
  const issuer = failure ? confirmFindings(gathered.issuer, failure) : gathered.issuer;
  const seen = [
    ...gathered.token.map((each) => (isAccepted ? overruled(each) : each)),
    ...gathered.request,
    ...stsFindings(facts),
    ...issuerFindings([...issuer, ...unreadFindings(facts)], facts),
    ...certificateFindings(facts),
    ...storeFindings(facts),
  ];
  const ofCall =
    failure && weakenCutOff(callFinding(failure, facts.token), failure, { facts, seen });
  // Without a response, STS refused nothing: the finding for the failed call is one among others.
  const hasResponse = failure?.kind === "response" || failure?.kind === "bad-response";
  const isSeen = seen.some(({ id, severity }) => id === ofCall?.id && severity === "fatal");
  const findings = withoutRepeats(
    ofCall === undefined || (isSeen && !hasResponse) ? seen : [...seen, ofCall],
  );
  const refusal = hasResponse ? ofCall : undefined;
  const { rootCause, ranked } = rank(findings, refusal);
  const inFull = <Each extends Finding | null>(each: Each) =>
    each !== null && each === rootCause && each === ofCall ? completeFinding(each, facts) : each;
  return {
    schemaVersion: 1,
    verdict: verdictOf(rootCause, findings, failure),
    rootCause: inFull(rootCause),
    findings: ranked.map(inFull),
    timings,
    facts,
  };
}

function verdictOf(
  rootCause: Finding | null,
  findings: readonly Finding[],
  failure: Failure | undefined,
): Diagnosis["verdict"] {
  if (rootCause === null) return "healthy";
  const isFatal = findings.some(({ severity }) => severity === "fatal");
  // The only call failed, even if the cause may pass. A call that was cut off by the end of the run does not count.
  const isRefused = failure !== undefined && failure.cutShort !== true;
  return isFatal || isRefused ? "broken" : "degraded";
}

/** Weakens a finding by a rule of this library that the STS, perhaps an emulator, does not apply. */
function overruled(finding: Finding): Finding {
  if (finding.severity !== "fatal") return finding;
  const detail = `${finding.detail} This STS accepted the token anyway.`;
  return { ...finding, severity: "advice", detail };
}

/** Drops repeated findings: the issuer check and the token check may find the same fault. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const known = new Set<string>();
  return findings.filter(({ id, evidence }) => {
    const key = `${id} ${JSON.stringify(evidence.claim ?? evidence.keyType ?? evidence.region ?? evidence.keyId ?? "")}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

const HOUR_MS = 3_600_000;
/** Certificates that are renewed automatically have been renewed by then, in milliseconds before they expire. */
const RENEWED_BY_MS = 14 * 24 * HOUR_MS;
/** Certificates with a lifetime of a few days are renewed later, but before their last quarter. */
const RENEWED_BY_SHARE = 1 / 4;

/** A certificate and its host. */
interface Served {
  readonly host: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** Distinguishes it from the host's other certificates. */
  readonly mark: { readonly subject: string } | { readonly region: string };
  readonly remedy: string;
}

/** Finds certificates that expire soon: the first in the issuer's chain, and those of the STS endpoints. */
export function certificateFindings({ issuer, sts, startedAt, clockSkewMs = 0 }: Facts): Finding[] {
  const now = Date.parse(startedAt) + clockSkewMs;
  const chain = (issuer?.tls?.chain ?? []).map(({ validFrom, validTo, subject }): Served => {
    const host = issuer?.host ?? "the issuer";
    return { host, validFrom, validTo, mark: { subject }, remedy: OF_THE_ISSUER };
  });
  const own = sts.flatMap(({ host, region, certificate }): Served[] =>
    certificate === undefined ? [] : [{ host, ...certificate, mark: { region }, remedy: OF_STS }],
  );
  const [first] = chain
    .filter((each) => endsSoon(each, now))
    .toSorted((a, b) => Date.parse(a.validTo) - Date.parse(b.validTo));
  return [...(first ? [first] : []), ...own.filter((each) => endsSoon(each, now))].map((each) =>
    ending(each, now),
  );
}

const OF_THE_ISSUER =
  "IdP: renew the certificate, and find out why it was not renewed automatically. When it expires, STS may get no keys.";
const OF_STS =
  "Network: have the operator of this endpoint (VPC endpoint, TLS inspection, an STS of your own) renew its certificate.";

/** Whether a certificate expires soon. An expired one is not trusted, which is another finding. */
function endsSoon({ validFrom, validTo }: Served, now: number): boolean {
  const left = Date.parse(validTo) - now;
  const life = Date.parse(validTo) - Date.parse(validFrom);
  return left > 0 && left < Math.min(RENEWED_BY_MS, life * RENEWED_BY_SHARE);
}

function ending({ host, validTo, mark, remedy }: Served, now: number): Finding {
  const hoursLeft = Math.floor((Date.parse(validTo) - now) / HOUR_MS);
  const left = hoursLeft < 48 ? `${hoursLeft} h` : `${Math.floor(hoursLeft / 24)} days`;
  const whose = "subject" in mark ? `the certificate of ${mark.subject}` : "its certificate";
  return {
    id: "certificate-expires-soon",
    severity: "advice",
    title: "A TLS certificate expires soon.",
    detail: `${host}: ${whose} expires at ${validTo}, in ${left}.`,
    remedy,
    evidence: { host, ...mark, validTo, hoursLeft },
  };
}

/**
 * Every finding, ordered from cause to effect. A finding comes first if it is nearer to the workload, or if
 * it makes the others meaningless. Of two findings with the same severity, the earlier one is the cause.
 */
export const RANKING: readonly FindingId[] = [
  // Without a token there is nothing to check.
  "token-unreadable",
  "token-malformed",
  "token-too-large",
  // A wrong clock makes good tokens look bad.
  "clock-skew",
  "token-claim-missing",
  "token-claim-invalid",
  "token-algorithm-unsupported",
  "token-audience-ambiguous",
  "token-expired",
  "token-not-yet-valid",
  "role-arn-invalid",
  "role-partition-mismatch",
  "session-name-invalid",
  "duration-invalid",
  // The network path to STS.
  "sts-tls-untrusted",
  "sts-unreachable",
  "sts-timeout",
  // The path to the issuer, from the name to the documents: each fault hides those after it.
  "issuer-not-allowed",
  "issuer-dns-failure",
  "issuer-private",
  "issuer-connection-refused",
  "issuer-timeout",
  "issuer-tls-old",
  "issuer-tls-untrusted",
  "issuer-redirects",
  "discovery-http-status",
  "discovery-not-json",
  "discovery-issuer-mismatch",
  "discovery-field-missing",
  "discovery-byte-order-mark",
  "jwks-rate-limited",
  "jwks-http-status",
  "jwks-not-json",
  "jwks-empty",
  "jwks-byte-order-mark",
  "jwks-too-large",
  "jwks-timeout",
  "jwks-too-many-keys",
  "jwks-inconsistent",
  "jwks-key-ambiguous",
  "jwks-key-not-found",
  "jwks-key-unusable",
  "signature-invalid",
  "jwks-slow",
  "discovery-slow",
  // STS's response, if nothing above explains it.
  "sts-provider-missing",
  "sts-thumbprint",
  "sts-audience-refused",
  "sts-token-refused",
  "sts-token-expired",
  "sts-token-early",
  "sts-access-denied",
  "sts-region-disabled",
  "sts-request-invalid",
  "sts-unknown",
  "sts-verification-key",
  "sts-throttled",
  "sts-unavailable",
  // The shared store. A provider also works without one.
  "store-directory-unsafe",
  "store-access-denied",
  "store-unreachable",
  "store-not-writable",
  "store-broken",
  "store-slow",
  "store-key-unknown",
  "store-clock-skew",
  // Findings about calls that still succeed.
  "token-variable-unread",
  "token-expires-soon",
  "token-audience-unexpected",
  "discovery-algorithms-unsupported",
  "jwks-not-cacheable",
  "issuer-tls13-only",
  "endpoint-global",
  "region-defaulted",
  "sts-slow",
  "sts-region-slower",
  "sts-date-wrong",
  "proxy-in-use",
  "certificate-expires-soon",
  "store-value-unusable",
];

const AT_THE_ISSUER = RANKING.filter((id) => /^(issuer|discovery|jwks|signature)-/.test(id));
const IN_THE_TOKEN = RANKING.filter((id) => id.startsWith("token-"));
const IN_THE_REQUEST: readonly FindingId[] = [
  "role-arn-invalid",
  "role-partition-mismatch",
  "session-name-invalid",
  "duration-invalid",
];

/** The findings that can explain a response of STS. A response that is not listed explains itself. */
export const EXPLAINED_BY: Readonly<Partial<Record<FindingId, readonly FindingId[]>>> = {
  "sts-verification-key": AT_THE_ISSUER,
  "sts-thumbprint": ["issuer-tls-untrusted"],
  "sts-provider-missing": ["discovery-issuer-mismatch", "token-claim-invalid"],
  "sts-audience-refused": [
    ...IN_THE_TOKEN,
    "signature-invalid",
    "jwks-key-unusable",
    "jwks-key-ambiguous",
    "jwks-key-not-found",
    "jwks-inconsistent",
  ],
  "sts-token-expired": ["clock-skew", "token-expired"],
  "sts-token-early": ["clock-skew", "token-not-yet-valid"],
  "sts-request-invalid": [...IN_THE_REQUEST, ...IN_THE_TOKEN],
  "sts-token-refused": [...IN_THE_TOKEN, "signature-invalid", "jwks-key-unusable"],
  "sts-unknown": IN_THE_TOKEN,
};

/**
 * Orders the findings by weight, and chooses the one that explains the others.
 *
 * @param refusal - the finding for STS's own refusal, if it refused.
 */
export function rank(
  findings: readonly Finding[],
  refusal: Finding | undefined,
): { readonly rootCause: Finding | null; readonly ranked: readonly Finding[] } {
  const sorted = findings.toSorted(byWeight);
  const causes = sorted.filter(({ severity }) => severity === "fatal" || severity === "suspect");
  const behind = causes.filter((each) => isBehind(each, refusal));
  const isFinal = refusal?.severity === "fatal" || causes[0]?.severity !== "fatal";
  const rootCause = behind[0] ?? (isFinal ? refusal : undefined) ?? causes[0] ?? null;
  if (rootCause === null) return { rootCause, ranked: sorted };
  return { rootCause, ranked: [rootCause, ...sorted.filter((each) => each !== rootCause)] };
}

function isBehind({ id }: Finding, refusal: Finding | undefined): boolean {
  return refusal !== undefined && (EXPLAINED_BY[refusal.id]?.includes(id) ?? false);
}

function byWeight(a: Finding, b: Finding): number {
  return bySeverity(a, b) || RANKING.indexOf(a.id) - RANKING.indexOf(b.id);
}
