// Findings about STS: from the facts about its endpoints, and from its response to the real call.

import type { Failure } from "../model/failure.js";
import type { Finding, FindingId } from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import { STS_ISSUER_TIMEOUT_MS, STS_TIME_TOLERANCE_SECONDS } from "../model/sts-limits.js";
import { sentenceFor } from "../retry/sentences.js";
import { CERTIFICATE_FAULTS } from "../runtime/system-errors.js";
import { formatDuration } from "../runtime/time-text.js";
import type { RejectedDate } from "../sts/server-clock.js";
import { tryElsewhere, withCommands } from "./conclude-issuer.js";
import type { EndpointFacts, Facts } from "./diagnosis.js";

/** A bare GET that takes longer than this is slow, in milliseconds. */
const SLOW_MS = 2_000;
/** A smaller difference does not justify another region, in milliseconds. */
const WORTHWHILE_MS = 100;
/** How far this machine's clock may be off. STS tolerates 5 minutes in a token's times. */
const SKEW = { adviceMs: 60_000, fatalMs: STS_TIME_TOLERANCE_SECONDS * 1000 };

/** The findings about the STS endpoints: the network path, the choice of region, the clocks. */
export function stsFindings({ sts, settings, clockSkewMs, assumeRole }: Facts): Finding[] {
  const [chosen, ...others] = sts;
  if (chosen === undefined) return [];
  // An HTTP response to the real call proves that the path works, even if the bare GET failed.
  const isProven = assumeRole?.outcome === "ok" || assumeRole?.httpStatus !== undefined;
  return [
    ...(isProven ? [] : brokenEndpoint(chosen, "fatal", settings)),
    ...others.flatMap((endpoint) => brokenEndpoint(endpoint, "advice", settings)),
    ...slow(chosen),
    ...slower(chosen, others),
    ...skewed(clockSkewMs, chosen),
    ...wrongDate(assumeRole?.rejectedDate, chosen),
    ...global(chosen),
    ...(isDefaulted(settings) ? [defaulted(chosen)] : []),
  ];
}

function slow({ firstByteMs, host, region }: EndpointFacts): Finding[] {
  if (firstByteMs === undefined || firstByteMs <= SLOW_MS) return [];
  return [
    {
      id: "sts-slow",
      severity: "advice",
      title: "STS responds slowly from here.",
      detail: `${host} took ${Math.round(firstByteMs)} ms to respond to a bare GET.`,
      remedy: "Network: check the route to STS. Workload: use the region you run in.",
      evidence: { host, region, ms: firstByteMs },
    },
  ];
}

function slower(chosen: EndpointFacts, others: readonly EndpointFacts[]): Finding[] {
  const { firstByteMs: own, region } = chosen;
  const [best] = others
    .flatMap((each) => (each.firstByteMs === undefined ? [] : [{ ...each, ms: each.firstByteMs }]))
    .toSorted((a, b) => a.ms - b.ms);
  if (own === undefined || best === undefined) return [];
  if (best.ms >= own / 2 || own - best.ms < WORTHWHILE_MS) return [];
  return [
    {
      id: "sts-region-slower",
      severity: "advice",
      title: "Another configured region responds in less than half the time.",
      detail: `${region} took ${Math.round(own)} ms, ${best.region} ${Math.round(best.ms)} ms.`,
      remedy: `Workload: if the workload stays where it is, list ${best.region} first.`,
      evidence: { region, ms: own, fasterRegion: best.region, fasterMs: best.ms },
    },
  ];
}

function skewed(skewMs: number | undefined, { host }: EndpointFacts): Finding[] {
  if (skewMs === undefined || Math.abs(skewMs) <= SKEW.adviceMs) return [];
  return [
    {
      id: "clock-skew",
      severity: Math.abs(skewMs) > SKEW.fatalMs ? "fatal" : "advice",
      title: "This machine's clock is wrong.",
      detail: `It is ${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? "behind" : "ahead of"} that of ${host}.`,
      remedy: "Workload: synchronize the machine's clock with NTP (chrony, systemd-timesyncd).",
      evidence: { skewMs, host },
    },
  ];
}

function wrongDate(rejected: RejectedDate | undefined, { host }: EndpointFacts): Finding[] {
  if (rejected === undefined) return [];
  const { date, expiration, reason } = rejected;
  const consequence =
    reason === "session-too-long"
      ? "would last longer than requested"
      : "would have expired on arrival";
  return [
    {
      id: "sts-date-wrong",
      severity: "advice",
      title: "The Date of the STS response can't be right.",
      detail: `${host} responded at ${date}, by its Date, with a session that ends at ${expiration}: by that clock it ${consequence}. This run ignored the Date.`,
      remedy:
        "Network: find what sets the Date between this machine and STS (a proxy, an STS of your own), and correct its clock.",
      evidence: { host, ...rejected },
    },
  ];
}

function global({ kind, host, regionalHost = "the regional endpoint" }: EndpointFacts): Finding[] {
  if (kind !== "global") return [];
  return [
    {
      id: "endpoint-global",
      severity: "advice",
      title: "The global STS endpoint is in use instead of the regional one.",
      detail: `Calls go to ${host} instead of ${regionalHost}.`,
      remedy: `Workload: set AWS_STS_REGIONAL_ENDPOINTS=regional (or remove sts_regional_endpoints and the endpoint URL), so that calls go to ${regionalHost}.`,
      evidence: { host, regionalHost },
    },
  ];
}

function isDefaulted(settings: Facts["settings"]): boolean {
  return settings.some(({ name, source }) => name === "region" && source === "default");
}

function defaulted({ region }: EndpointFacts): Finding {
  return {
    id: "region-defaulted",
    severity: "advice",
    title: "No region is configured.",
    detail: `No option, AWS_REGION, AWS_DEFAULT_REGION or profile names one; ${region} is used.`,
    remedy: "Workload: set AWS_REGION to the region you run in.",
    evidence: { region },
  };
}

type Part = NonNullable<EndpointFacts["failedIn"]>;

/** The finding for an endpoint that did not respond, by the part of the request that failed. */
export function brokenEndpoint(
  endpoint: EndpointFacts,
  severity: "fatal" | "advice",
  settings: Facts["settings"],
): Finding[] {
  const { failedIn, error = "", host, region, proxy, status, totalMs } = endpoint;
  if (failedIn === undefined) return [];
  const isLate = error === "timeout" || error === "ETIMEDOUT";
  const id = isLate ? "sts-timeout" : failedIn === "tls" ? "sts-tls-untrusted" : "sts-unreachable";
  const title = titleOf(failedIn, isLate);
  const late = status === undefined ? "no response" : "its response did not end";
  const trouble = isLate
    ? `${late} in ${Math.round(totalMs)} ms`
    : "it was closed before a response";
  const problem =
    failedIn === "response" ? `there is a connection, but ${trouble}` : WORDS[failedIn];
  const ignored =
    proxy === undefined
      ? ""
      : ` The proxy ${proxy} is configured, but the AWS SDK does not use it.`;
  return [
    {
      id,
      severity,
      title: severity === "fatal" ? `${title}.` : `Failover region ${region}: ${title}.`,
      detail: `${host} (${region}): ${CERTIFICATE_FAULTS[error] ?? problem} (${error} in phase "${failedIn}").${ignored}`,
      remedy: `Network: ${remedyOf(failedIn, host)} Workload: make sure that ${chosenBy(endpoint, settings)} is right.`,
      evidence: { host, region, phase: failedIn, error, ...(proxy !== undefined && { proxy }) },
    },
  ];
}

function titleOf(part: Part, isLate: boolean): string {
  switch (part) {
    case "dns":
      return "The name of the STS endpoint does not resolve here";
    case "connect":
      return isLate
        ? "No connection to STS: a firewall that drops packets looks like this"
        : "STS can't be reached from here";
    case "tls":
      return isLate
        ? "STS does not finish the TLS handshake in time"
        : "The TLS certificate of the STS endpoint is not trusted";
    case "response":
      return isLate
        ? "STS did not respond in time"
        : "STS closes the connection without a response";
  }
}

const WORDS: Readonly<Record<Exclude<Part, "response">, string>> = {
  dns: "its name does not resolve",
  connect: "no connection is established",
  tls: "the TLS handshake fails",
};

function remedyOf(part: Part, host: string): string {
  switch (part) {
    case "dns":
      return `let this machine resolve ${host} (its DNS, the private DNS of a VPC endpoint).`;
    case "connect":
      return `let this machine connect to ${host} (route to the internet or VPC endpoint, security group, firewall).`;
    case "tls":
      return `exempt ${host} from TLS inspection, or trust the inspecting proxy's CA (NODE_EXTRA_CA_CERTS).`;
    case "response":
      return `find what accepts connections for ${host} without forwarding them (firewall, load balancer, VPC endpoint).`;
  }
}

/** The setting that determines the host, and may be wrong. */
function chosenBy({ kind, region }: EndpointFacts, settings: Facts["settings"]): string {
  const source = settings.find(({ name }) => name === "endpointUrl")?.source ?? "option";
  if (kind !== "custom") return `the region ${region}`;
  return source === "option"
    ? "the endpoint URL"
    : source === "profile"
      ? "endpoint_url of the profile"
      : source;
}

/** The finding for the failed call: the words of STS, or what prevented a response. */
export function callFinding(failure: Failure, token?: TokenFacts): Finding {
  const { kind, code, message, httpStatus, requestId, region } = failure;
  const { id, severity, what, remedy } = sentenceFor(failure, token);
  const where = region === undefined ? "" : ` in ${region}`;
  const status = httpStatus === undefined ? "" : ` (HTTP ${httpStatus})`;
  const request = requestId === undefined ? "" : ` (request ID ${requestId})`;
  const words = code === undefined ? message : `${code}: ${message}`;
  // Without a code, the message is from this library and not from STS.
  const isFromSts = kind === "response" && code !== undefined;
  const detail = isFromSts
    ? `STS${where} said${status}: ${words}${request}`
    : `The call to STS${where} failed: ${words}${request}`;
  const evidence = { kind, code, message, httpStatus, requestId, region };
  return { id, severity, title: `${what}.`, detail, remedy, evidence };
}

/** By then, STS has reported an issuer that does not respond: its limit and a second of transit, in milliseconds. */
const STS_RESPONDS_BY_MS = STS_ISSUER_TIMEOUT_MS + 1_000;

/**
 * Weakens the finding for a call that the end of the run cut off, if the path to STS works: STS may
 * have been waiting for the issuer.
 *
 * @param seen - the other findings.
 */
export function weakenCutOff(
  finding: Finding,
  { cutShort = false }: Failure,
  { facts, seen }: { readonly facts: CallFacts; readonly seen: readonly Finding[] },
): Finding {
  const { assumeRole } = facts;
  const [chosen] = facts.sts;
  const isEarly = cutShort && assumeRole !== undefined && assumeRole.ms < STS_RESPONDS_BY_MS;
  if (!isEarly || chosen?.status === undefined || chosen.failedIn !== undefined) return finding;
  const isExplained = seen.some(({ severity }) => severity === "fatal" || severity === "suspect");
  return {
    ...finding,
    severity: isExplained ? "advice" : "suspect",
    title: "STS did not respond before the time limit of this run.",
    detail: `${finding.detail}; ${chosen.host} responds to a bare GET.`,
    remedy:
      "Workload: run the doctor again with a longer --timeout: STS waits up to 5 s for the identity provider.",
  };
}

type CallFacts = Pick<Facts, "sts" | "assumeRole">;

/** Completes the finding for a response that no other finding explains, so that a reader can investigate it. */
export function completeFinding(finding: Finding, facts: Facts): Finding {
  const { issuer } = facts;
  if (finding.id !== "sts-verification-key" || issuer === undefined) {
    return inTrustPolicyTerms(finding, facts);
  }
  return { ...finding, remedy: withCommands(finding.remedy, tryElsewhere(issuer)) };
}

/** The claims that decide about a refusal, for a comparison with the role's trust policy. */
const DECIDING: Readonly<Partial<Record<FindingId, readonly ("aud" | "sub")[]>>> = {
  "sts-access-denied": ["aud", "sub"],
  "sts-audience-refused": ["aud"],
  "sts-provider-missing": [],
};

/**
 * Adds the token's claims under the names in the conditions of a trust policy (IAM user guide, "Available
 * keys for AWS OIDC federation"): the issuer without its scheme, and `azp` as the audience if the token
 * has one.
 */
function inTrustPolicyTerms(finding: Finding, { token, settings }: Facts): Finding {
  const claims = DECIDING[finding.id];
  if (claims === undefined || token?.issuer === undefined) return finding;
  const provider = token.issuer.replace(/^https?:\/\//, "");
  const values: Readonly<Record<string, string | undefined>> = {
    aud: token.azp ?? [token.audience ?? []].flat().join(", "),
    sub: token.subject,
  };
  const shown = claims.flatMap((claim) =>
    values[claim] ? [`${provider}:${claim} ${JSON.stringify(values[claim])}`] : [],
  );
  const role = settings.find(({ name }) => name === "roleArn")?.value;
  const sentences = [
    finding.detail.replace(/\.?$/, "."),
    ...(shown.length > 0 ? [`The token has ${shown.join(" and ")}.`] : []),
    ...(role === undefined ? [] : [`The role is ${role}.`]),
  ];
  return { ...finding, detail: sentences.join(" ") };
}
