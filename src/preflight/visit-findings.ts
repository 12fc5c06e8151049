import type { Finding } from "../model/findings.js";
import type { RequestTiming } from "../model/issuer-report.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";

const SLOW_MS = 2_000;

/** Answers that came, but late: by themselves, or with each other. */
export function slow(requests: readonly RequestTiming[]): Finding[] {
  // 304 is the answer to a second look at what is kept.
  const isServed = (status: number | undefined) => status === 200 || status === 304;
  const answered = requests.filter(({ error, status }) => error === undefined && isServed(status));
  const total = answered.reduce((sum, { totalMs }) => sum + totalMs, 0);
  const slowest = Math.max(...answered.map(({ totalMs }) => totalMs));
  return answered.flatMap(({ document, url, totalMs }) => {
    const isTooLate =
      totalMs > STS_ISSUER_TIMEOUT_MS || (total > STS_ISSUER_TIMEOUT_MS && totalMs === slowest);
    if (!isTooLate && totalMs <= SLOW_MS) return [];
    const finding: Finding = {
      id: document === "discovery" ? "discovery-slow" : "jwks-slow",
      severity: isTooLate ? "suspect" : "advice",
      title: isTooLate
        ? "The issuer answers later than STS waits."
        : "The issuer answers slowly; STS stops waiting after 5 s.",
      detail: `${url} took ${Math.round(totalMs)} ms, both documents ${Math.round(total)} ms.`,
      remedy: "IdP: serve the document in well under 1 s, from a cache or CDN.",
      evidence: { url, ms: totalMs, bothMs: total, limitMs: STS_ISSUER_TIMEOUT_MS },
    };
    return [finding];
  });
}

export function notCacheable({ url, headers }: RequestTiming): Finding {
  const said = [headers["cache-control"], headers.pragma].filter((value) => value !== undefined);
  return {
    id: "jwks-not-cacheable",
    severity: "advice",
    title: "The issuer forbids caching of its keys, so STS fetches them for every token.",
    detail: `${url} says ${said.join("; ")}.`,
    remedy:
      "IdP: allow caching (Cache-Control: public, max-age=3600), or STS's requests may hit your rate limit.",
    evidence: { url, headers: said },
  };
}

export function proxyInUse(proxy: URL): Finding {
  return {
    id: "proxy-in-use",
    severity: "info",
    title: "A proxy is between this process and the issuer.",
    detail: `The request to the issuer went through ${proxy.protocol}//${proxy.host}; STS does not use it.`,
    remedy:
      "Network: nothing to do, as long as the proxy forwards the issuer's documents unaltered.",
    evidence: { proxy: proxy.host },
  };
}
