import type { Finding } from "../model/findings.js";
import { formatDuration } from "../runtime/time-text.js";
import type { RejectedDate } from "../sts/server-clock.js";
import { brokenEndpoint } from "./conclude-way-to-sts.js";
import type { EndpointFacts, Facts } from "./facts.js";

/** A bare GET of STS that takes longer is slow, in milliseconds. */
const SLOW_MS = 2_000;
/** Differences below this are no reason to move, in milliseconds. */
const WORTHWHILE_MS = 100;
/** FINDINGS: advice over 60 s, fatal over the 5 minutes that signatures and tokens are allowed. */
const SKEW = { adviceMs: 60_000, fatalMs: 300_000 };

/** What the endpoints' facts mean: the way to them, the choice of region, and the clocks. */
export function endpointFindings({ sts, settings, clockSkewMs, assumeRole }: Facts): Finding[] {
  const [chosen, ...others] = sts;
  if (chosen === undefined) return [];
  // Any HTTP answer to the real call proves the way, whatever the bare GET came to.
  const isProven = assumeRole?.outcome === "ok" || assumeRole?.httpStatus !== undefined;
  return [
    ...(isProven ? [] : brokenEndpoint(chosen, "fatal", settings)),
    ...others.flatMap((endpoint) => brokenEndpoint(endpoint, "advice", settings)),
    ...slow(chosen),
    ...slower(chosen, others),
    ...skewed(clockSkewMs, chosen),
    ...lying(assumeRole?.rejectedDate, chosen),
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
      title: "STS answers slowly from here.",
      detail: `${host} took ${Math.round(firstByteMs)} ms to answer a bare GET.`,
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
      title: "Another configured region answers in less than half the time.",
      detail: `${region} took ${Math.round(own)} ms, ${best.region} ${Math.round(best.ms)} ms.`,
      remedy: `Workload: put ${best.region} first, if this machine stays in place.`,
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

function lying(rejected: RejectedDate | undefined, { host }: EndpointFacts): Finding[] {
  if (rejected === undefined) return [];
  const { date, expiration, reason } = rejected;
  const consequence =
    reason === "session-too-long"
      ? "would live longer than was asked for"
      : "would have expired on arrival";
  return [
    {
      id: "sts-date-wrong",
      severity: "advice",
      title: "The Date of STS's answer cannot be right.",
      detail: `${host} answered at ${date}, by its Date, with a session that ends at ${expiration}: by that clock it ${consequence}. The Date was not believed.`,
      remedy:
        "Network: find what sets the Date between this machine and STS (a proxy, an STS of your own), and set its clock.",
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
      title: "The global STS endpoint is in use, which depends on one region.",
      detail: `Calls go to ${host} instead of ${regionalHost}.`,
      remedy: `Workload: set AWS_STS_REGIONAL_ENDPOINTS=regional (or drop sts_regional_endpoints and the endpoint URL), so calls go to ${regionalHost}.`,
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
    detail: `Neither option, AWS_REGION, AWS_DEFAULT_REGION nor profile names one; ${region} is used.`,
    remedy: "Workload: set AWS_REGION to the region you run in.",
    evidence: { region },
  };
}
