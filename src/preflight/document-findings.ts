import { isIP } from "node:net";
import type { DocumentName, Finding, RequestTiming } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { CERTIFICATE_FAULTS } from "../runtime/system-errors.js";
import { bareHostname, isLoopbackUrl } from "../runtime/url-host.js";
import { type FetchProblem, MAX_DOCUMENT_BYTES } from "./fetch-document.js";
import { retryAfterMs } from "./freshness.js";
import { isPublicAddress } from "./guarded-lookup.js";
import { PROXY_UNSUPPORTED } from "./proxy.js";

/** A request that returned no document. */
interface Failed {
  readonly document: DocumentName;
  readonly timing: RequestTiming;
  /** The time that the request had, in milliseconds. */
  readonly timeoutMs: number;
  /** The proxy through which the request went. */
  readonly proxy: URL | undefined;
}

/** The finding for a request without a response. It is never certain, because STS calls from another network. */
export function problemFinding(problem: FetchProblem, failed: Failed): Finding {
  const { proxy, timing } = failed;
  const isUnsupported = problem.kind === "network" && problem.code === PROXY_UNSUPPORTED;
  if (proxy !== undefined && isUnsupported) return proxyUnsupported(proxy, timing);
  if (isInsideCluster(problem, failed)) return insideCluster(problem, failed);
  const finding = findingOf(problem, failed);
  const hasPhase = problem.kind === "timeout" || problem.kind === "network";
  if (proxy === undefined || !hasPhase || problem.phase !== "connect") return finding;
  const { host } = new URL(timing.url);
  const why = problem.kind === "network" ? problem.code : "no response in time";
  return {
    ...finding,
    title: "The proxy did not connect to the issuer.",
    detail: `The proxy ${proxy.protocol}//${proxy.host} did not connect to ${host} (${why}).`,
    remedy: `Network: make sure that the proxy is up and lets this machine connect to ${host}. Workload: correct HTTPS_PROXY, or name ${host} in NO_PROXY.`,
  };
}

/** Only info, because no request was sent: an issuer that was not checked explains no refusal of STS. */
function proxyUnsupported({ protocol, host }: URL, timing: RequestTiming): Finding {
  const { host: issuerHost } = new URL(timing.url);
  return {
    id: "issuer-connection-refused",
    severity: "info",
    title: "The issuer was not checked: the configured proxy is not an HTTP proxy.",
    detail: `The proxy is ${protocol}//${host}, and only http:// and https:// proxies are supported, so no request was sent to ${issuerHost}.`,
    remedy: `Workload: set HTTPS_PROXY to an http:// proxy, or name ${issuerHost} in NO_PROXY.`,
    evidence: { url: timing.url, proxy: host },
  };
}

/** Host names that only the DNS of a Kubernetes cluster resolves. */
const CLUSTER_NAME = /^(?:kubernetes(?:\.default)?|.+\.svc|.+\.cluster\.local)\.?$/i;

/**
 * Whether the URL of an issuer or a JWKS works only inside a cluster's network, and is not this machine.
 * API servers publish such URLs of their own, and users copy the documents out of the cluster.
 */
function isInsideCluster(problem: FetchProblem, { document, timing }: Failed): boolean {
  const { kind } = problem;
  if (kind !== "not-public" && kind !== "timeout" && kind !== "network") return false;
  const url = new URL(timing.url);
  const host = bareHostname(url);
  if (CLUSTER_NAME.test(host)) return true;
  const address = kind === "not-public" ? problem.address : host;
  return document === "jwks" && isPrivate(address) && !isLoopbackUrl(url);
}

function isPrivate(address: string): boolean {
  return isIP(address) !== 0 && !isPublicAddress(address) && !/^(127\.|::1$)/.test(address);
}

function insideCluster(problem: FetchProblem, { document, timing }: Failed): Finding {
  const isJwks = document === "jwks";
  const host = bareHostname(new URL(timing.url));
  const isResolved = problem.kind === "not-public" && problem.address !== host;
  const where = isResolved ? `${host} (${problem.address})` : host;
  return {
    id: "issuer-private",
    severity: "suspect",
    title: isJwks
      ? "The discovery document names the cluster's internal address for the JWKS."
      : "The issuer is the cluster's internal name, which STS can't reach.",
    detail: `${isJwks ? `jwks_uri is ${safeText(timing.url, 200)}; ` : ""}${where} is inside the cluster's network, and STS connects from the internet.`,
    remedy: `IdP: publish ${isJwks ? "the JWKS" : "the discovery document and the JWKS"} at a public https URL, and set the API server's --service-account-issuer and --service-account-jwks-uri to the public URLs, so that the tokens and the discovery document name them. A managed cluster (EKS, GKE, AKS, OpenShift) has a public issuer of its own: use that one.`,
    evidence: { url: timing.url, document, ...problem },
    // STS returns the verification-key message when it does not reach the JWKS, and a private address
    // (RFC 1918, RFC 4193, RFC 6598) can't be reached from the internet.
    ...(isJwks && isPrivate(host) && { confirmedBy: "verification-key" }),
  };
}

function findingOf(problem: FetchProblem, failed: Failed): Finding {
  const { timing, document } = failed;
  const { url } = timing;
  const { host } = new URL(url);
  const base = { severity: "suspect", evidence: { url, ...problem } } as const;
  switch (problem.kind) {
    case "not-public":
      return {
        ...base,
        id: "issuer-private",
        title: "The issuer is at an address that STS can't reach from the internet.",
        detail: `${host} is at ${problem.address}, which is not public, so no request was sent.`,
        remedy:
          "Network: publish the issuer's documents on a public https address. If STS resolves the name to another address than this machine does, check it anyway: `allowPrivateIssuers`, or --allow-private-issuers of the doctor.",
      };
    case "timeout":
      return { ...base, ...timedOut(problem.phase, failed) };
    case "tls":
      return {
        ...base,
        id: "issuer-tls-untrusted",
        ...(isHandshake(problem.code) ? NO_HANDSHAKE : UNTRUSTED),
        detail: `${host}: ${CERTIFICATE_FAULTS[problem.code] ?? "the TLS handshake failed"} (${problem.code}).`,
      };
    case "encoded":
      return {
        ...base,
        id: document === "discovery" ? "discovery-not-json" : "jwks-not-json",
        title: "The issuer compresses a document although the request does not accept that.",
        detail: `${url} has content-encoding ${problem.encoding}.`,
        remedy: "IdP: serve the document unencoded where the request does not accept an encoding.",
      };
    case "too-large":
      return {
        ...base,
        id: document === "discovery" ? "discovery-not-json" : "jwks-too-large",
        title: "The issuer's document is too large.",
        detail: `${url} has more than ${MAX_DOCUMENT_BYTES} bytes; reading stopped there.`,
        remedy: "IdP: publish only the keys in use.",
      };
    case "network":
      if (problem.phase === "dns" && !problem.code.startsWith("PROXY_")) {
        return {
          ...base,
          ...unresolved(host, problem.code),
        };
      }
      return {
        ...base,
        id: "issuer-connection-refused",
        title: "The connection to the issuer was refused or cut.",
        detail: `${url}: ${problem.code} in phase "${problem.phase}".`,
        remedy:
          "IdP and network: make sure that the issuer is up and that no firewall or proxy refuses the connection.",
      };
  }
}

/** The words of the finding for a host name that does not resolve. */
export function unresolved(host: string, code: string) {
  return {
    id: "issuer-dns-failure",
    title: "The issuer's name does not resolve here.",
    detail: `${host} can't be resolved (${code}).`,
    remedy: "Network: check the name in `iss`, and this machine's DNS.",
  } as const;
}

/** Nothing is known about the issuer, because its name was not resolved. */
const NOT_RESOLVED = {
  id: "issuer-timeout",
  severity: "info",
  title: "The issuer was not checked: the names of other issuers took too long to resolve.",
  remedy: "Network: check this machine's DNS, which does not respond for the other issuers' names.",
} as const;

function timedOut(phase: string, { document, timing, timeoutMs }: Failed) {
  const { host } = new URL(timing.url);
  if (phase === "dns-queue") {
    const detail = `Other names were resolved first: ${host} was still in the queue after ${timeoutMs} ms.`;
    return { ...NOT_RESOLVED, detail };
  }
  const isConnected = phase === "response" || phase === "body";
  const within = `within ${timeoutMs} ms (phase "${phase}")`;
  if (document === "jwks") {
    return {
      id: "jwks-timeout",
      title: "The issuer's JWKS did not arrive in time; STS also stops waiting after 5 s.",
      detail: `${timing.url} did not arrive ${within}, in the time that the discovery document left.`,
      remedy: "IdP: serve the JWKS in well under 5 s, from a cache or CDN.",
    } as const;
  }
  return isConnected
    ? ({
        id: "discovery-slow",
        title:
          "The issuer's discovery document did not arrive in time; STS also stops waiting after 5 s.",
        detail: `${timing.url} did not arrive ${within}.`,
        remedy: "IdP: serve the document in well under 5 s, from a cache or CDN.",
      } as const)
    : ({
        id: "issuer-timeout",
        title: "No connection to the issuer: a firewall that drops packets looks like this.",
        detail: `No connection to ${host} was established ${within}.`,
        remedy: "Network: let this machine, and STS, reach the issuer on its port.",
      } as const);
}

const UNTRUSTED = {
  title: "The issuer's TLS certificate is not trusted.",
  remedy:
    "IdP: serve a certificate of a public CA for exactly this name, with its intermediates in order. STS accepts a private CA by the thumbprint in the IAM OIDC provider; for this check, name its certificate in NODE_EXTRA_CA_CERTS.",
} as const;

const NO_HANDSHAKE = {
  title: "The TLS handshake with the issuer failed before its certificate was checked.",
  remedy:
    "IdP: support TLS 1.2 or newer on this port, without requiring a client certificate. Network: make sure that no proxy or firewall responds in place of the issuer.",
} as const;

/** Whether no handshake was possible: the two sides share no protocol, version or cipher suite. */
function isHandshake(code: string): boolean {
  return code === "EPROTO" || code.startsWith("ERR_SSL_");
}

/** A response with another status than 200. */
export function statusFinding(document: DocumentName, timing: RequestTiming, now: number): Finding {
  const { url, status = 0, headers } = timing;
  const wait = retryAfterMs(headers, now);
  const evidence = { url, status, ...(wait !== undefined && { retryAfterMs: wait }) };
  const base = { severity: "suspect", evidence } as const;
  if (status >= 300 && status < 400 && status !== 304) {
    return {
      ...base,
      id: "issuer-redirects",
      title: "The issuer redirects, and it is not documented whether STS follows redirects.",
      detail: `${url} returns ${status} to ${safeText(headers.location ?? "nowhere", 200)}; it was not followed.`,
      remedy: "IdP: serve the document with status 200 at this URL, without a redirect.",
    };
  }
  const isLimit = status === 429 || (status === 503 && wait !== undefined);
  const pause = wait === undefined ? "" : ` and asks clients to wait ${Math.ceil(wait / 1000)} s`;
  return {
    ...base,
    id:
      document === "discovery"
        ? "discovery-http-status"
        : isLimit
          ? "jwks-rate-limited"
          : "jwks-http-status",
    title: isLimit
      ? "The issuer limits the rate of requests; STS may get the same response."
      : "The issuer does not serve its document with status 200.",
    detail: `${url} returns ${status}${pause}.`,
    remedy: isLimit
      ? "IdP: raise the limit, or let caches and CDNs keep these documents."
      : "IdP: serve the document with status 200, without a login.",
  };
}

const SLOW_MS = 2_000;

/** Finds slow responses: each by itself, or both documents together. */
export function slow(requests: readonly RequestTiming[]): Finding[] {
  // 304 is the response to a request that revalidates a cached document.
  const isServed = (status: number | undefined) => status === 200 || status === 304;
  const served = requests.filter(({ error, status }) => error === undefined && isServed(status));
  const total = served.reduce((sum, { totalMs }) => sum + totalMs, 0);
  const slowest = Math.max(...served.map(({ totalMs }) => totalMs));
  return served.flatMap(({ document, url, totalMs }) => {
    const isTooLate =
      totalMs > STS_ISSUER_TIMEOUT_MS || (total > STS_ISSUER_TIMEOUT_MS && totalMs === slowest);
    if (!isTooLate && totalMs <= SLOW_MS) return [];
    const finding: Finding = {
      id: document === "discovery" ? "discovery-slow" : "jwks-slow",
      severity: isTooLate ? "suspect" : "advice",
      title: isTooLate
        ? "The issuer responds too late for STS, which stops waiting after 5 s."
        : "The issuer responds slowly; STS stops waiting after 5 s.",
      detail: `${url} took ${Math.round(totalMs)} ms, both documents ${Math.round(total)} ms.`,
      remedy: "IdP: serve the document in well under 1 s, from a cache or CDN.",
      evidence: { url, ms: totalMs, bothMs: total, limitMs: STS_ISSUER_TIMEOUT_MS },
    };
    return [finding];
  });
}

export function notCacheable({ url, headers }: RequestTiming): Finding {
  const shown = [headers["cache-control"], headers.pragma].filter((value) => value !== undefined);
  return {
    id: "jwks-not-cacheable",
    severity: "advice",
    title: "The issuer forbids caching of its keys, so STS fetches them for every token.",
    detail: `${url} has the caching headers ${shown.join("; ")}.`,
    remedy:
      "IdP: allow caching (Cache-Control: public, max-age=3600), or STS's requests may hit your rate limit.",
    evidence: { url, headers: shown },
  };
}

export function proxyInUse(proxy: URL): Finding {
  return {
    id: "proxy-in-use",
    severity: "info",
    title: "This process reaches the issuer through a proxy.",
    detail: `The request to the issuer went through ${proxy.protocol}//${proxy.host}; STS does not use it.`,
    remedy: "Network: nothing to do, as long as the proxy does not alter the issuer's documents.",
    evidence: { proxy: proxy.host },
  };
}
