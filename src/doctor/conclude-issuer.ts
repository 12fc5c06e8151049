import type { Finding, FindingId } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { unresolved } from "../preflight/document-findings.js";
import { quoteForPosix as quote } from "../runtime/shell-quote.js";
import type { Facts, IssuerFacts, TlsFacts } from "./diagnosis.js";

/** Findings that may apply only to this machine's network: STS calls from another one. */
const FROM_HERE: readonly FindingId[] = [
  "issuer-private",
  "issuer-dns-failure",
  "issuer-connection-refused",
  "issuer-timeout",
  "issuer-tls-untrusted",
];

/** Refines the findings of the issuer check by the network's facts and by STS's response. */
export function issuerFindings(findings: readonly Finding[], facts: Facts): Finding[] {
  const { issuer, assumeRole } = facts;
  if (issuer === undefined) return [...findings];
  const refined = findings.map((each) => refine(each, issuer));
  const isAccepted = assumeRole?.outcome === "ok";
  const isReached = !refined.some(({ id }) => FROM_HERE.includes(id));
  const uneven = isReached ? addressFindings(issuer) : [];
  return [...refined, ...uneven, ...tlsFindings(issuer, refined)].map((each) => {
    const finding = isAccepted ? contradicted(each) : each;
    return FROM_HERE.includes(each.id) ? withOtherNetwork(finding, issuer, assumeRole) : finding;
  });
}

/** Replaces a finding by a more exact one, depending on the part in which the request failed. */
function refine(finding: Finding, issuer: IssuerFacts): Finding {
  const { host = "the issuer", dnsError, tls } = issuer;
  const { id, evidence } = finding;
  if (id === "issuer-timeout" && dnsError !== undefined) {
    return { ...finding, ...unresolved(host, dnsError) };
  }
  const isUnconnected = evidence.phase === "dns" || evidence.phase === "connect";
  if (id === "jwks-timeout" && isUnconnected) {
    const { host: keyHost } = new URL(String(evidence.url));
    return {
      ...finding,
      id: "issuer-timeout",
      title:
        "No connection to the host of the JWKS: a firewall that drops packets looks like this.",
      detail: `The connection to ${keyHost} failed in phase "${String(evidence.phase)}".`,
      remedy: `Network: let this machine (and STS) reach ${keyHost}, which is not the issuer's own host, on its port.`,
    };
  }
  const isConnecting = id === "issuer-tls-untrusted" || id === "issuer-connection-refused";
  if (isConnecting && isOld(tls)) {
    return {
      ...finding,
      id: "issuer-tls-old",
      title: "The issuer supports no TLS version newer than 1.1.",
      detail: `${host} refuses TLS 1.2 and 1.3; it accepted ${tls?.protocol ?? "an older version"}.`,
      remedy: "IdP: offer TLS 1.2 and 1.3.",
      evidence: { ...evidence, offers: tls?.offers },
    };
  }
  return finding;
}

function isOld(tls: TlsFacts | undefined): boolean {
  const { tls11, tls12, tls13 } = tls?.offers ?? {};
  return tls11 === true && tls12 === false && tls13 === false;
}

/** Findings that only the TLS handshakes show. */
function tlsFindings({ tls, host }: IssuerFacts, known: readonly Finding[]): Finding[] {
  if (tls === undefined || known.some(({ id }) => /^issuer-tls/.test(id))) return [];
  const { tls12, tls13 } = tls.offers;
  const only13: Finding[] =
    tls12 === false && tls13 === true
      ? [
          {
            id: "issuer-tls13-only",
            severity: "advice",
            title: "The issuer offers only TLS 1.3; STS then checks thumbprints.",
            detail: `${host} refuses TLS 1.2.`,
            remedy:
              "IdP: offer TLS 1.2 as well, or keep the IAM OIDC provider's thumbprints up to date.",
            evidence: { offers: tls.offers },
          },
        ]
      : [];
  if (tls.isInOrder !== false) return only13;
  const served = tls.chain.map(({ subject }) => subject);
  return [
    ...only13,
    {
      id: "issuer-tls-untrusted",
      severity: "suspect",
      title: "The issuer serves its certificate chain out of order.",
      detail: `${host} serves ${served.join(" | ")}; each certificate must be followed by its issuer's.`,
      remedy:
        "IdP: serve the host's certificate first, then each intermediate after the one it signed.",
      evidence: { served },
    },
  ];
}

/** Weakens a finding, because STS has just accepted the token. */
function contradicted(finding: Finding): Finding {
  // This machine could not connect, but STS still supports the old version.
  if (finding.id === "issuer-tls-old") {
    const detail = `${finding.detail} STS accepted the token anyway.`;
    return { ...finding, severity: "advice", detail };
  }
  // The response refutes a finding that rests on one report.
  if (finding.confirmedBy !== undefined || isInDoubt(finding)) {
    const { confirmedBy: _, ...weaker } = finding;
    const detail = `${finding.detail} STS accepted the token anyway.`;
    return { ...weaker, severity: "advice", detail };
  }
  if (finding.severity !== "fatal") return finding;
  const detail = `${finding.detail} STS accepted the token a moment ago: it caches keys for a while.`;
  return { ...finding, severity: "suspect", detail };
}

/** Whether the finding is about a form of key that STS was never observed to refuse. */
function isInDoubt({ id, severity }: Finding): boolean {
  return severity === "suspect" && (id === "jwks-key-unusable" || id === "jwks-key-ambiguous");
}

function withOtherNetwork(
  finding: Finding,
  issuer: IssuerFacts,
  assumeRole: Facts["assumeRole"],
): Finding {
  if (assumeRole?.outcome === "ok") {
    const detail = `${finding.detail} STS accepted the token anyway: it reaches the issuer from its own network, or still caches the keys.`;
    return { ...finding, detail };
  }
  const words = assumeRole ? "" : " STS may still reach it: only this machine was checked.";
  const { url } = finding.evidence;
  const commands = tryElsewhere(issuer, typeof url === "string" ? url : undefined);
  const remedy = withCommands(finding.remedy, commands);
  return { ...finding, detail: `${finding.detail}${words}`, remedy };
}

const FIGURES = quote("%{http_code} in %{time_total} s\\n");

/**
 * Commands to run from another network. Their parts are not trusted: the issuer comes from a token, the
 * URL of the JWKS from the issuer.
 */
export function tryElsewhere({ issuer, discoveryUrl }: IssuerFacts, url = discoveryUrl): string[] {
  const curl = `curl -gsS -m ${STS_ISSUER_TIMEOUT_MS / 1000} -o /dev/null -w ${FIGURES} --url`;
  return [
    ...(isComplete(url) ? [`${curl} ${quote(url)}`] : []),
    ...(isComplete(issuer) ? [`npx resilient-sts doctor --issuer ${quote(issuer)}`] : []),
  ];
}

/** Adds commands to a remedy, each on a line of its own. */
export function withCommands(remedy: string, commands: readonly string[]): string {
  const prose = `${remedy} Try from another network${commands.length > 0 ? ":" : "."}`;
  return [prose, ...commands].join("\n");
}

/** Whether a URL in the facts is complete: facts may be shortened or redacted. */
function isComplete(text: string | undefined): text is string {
  return text !== undefined && !/…$|\[redacted\]/.test(text);
}

/** The error codes of a connection attempt that gets no response. */
const LATE: readonly (string | undefined)[] = ["timeout", "ETIMEDOUT"];

/**
 * Finds that some of the issuer's addresses accept connections and others do not. The issuer check still
 * succeeds, because Node tries the next address. Only addresses of one family are compared, because
 * IPv6 may be broken only on this machine.
 */
export function addressFindings({ addresses, host = "the issuer" }: IssuerFacts): Finding[] {
  const dead = addresses.filter(
    ({ error, family }) =>
      error !== undefined &&
      addresses.some((other) => other.family === family && other.connectMs !== undefined),
  );
  if (dead.length === 0) return [];
  const named = dead.map(({ address, error }) => `${address} (${error})`);
  return [
    {
      id: dead.every(({ error }) => LATE.includes(error))
        ? "issuer-timeout"
        : "issuer-connection-refused",
      severity: "suspect",
      title: "Some of the issuer's addresses accept no connections, so requests fail at random.",
      detail: `${host} has ${addresses.length} addresses; these accept no connection: ${named.join(", ")}.`,
      remedy: "IdP: restore the servers at these addresses, or remove the addresses from DNS.",
      evidence: { host, addresses: dead.map(({ address, error }) => ({ address, error })) },
    },
  ];
}

/** An issuer whose documents had not arrived when the run ended is not healthy. */
export function unreadFindings({ issuer, unfinished, elapsedMs }: Facts): Finding[] {
  const isUnread = unfinished.includes("issuer-documents") && issuer?.requests.length === 0;
  if (!isUnread) return [];
  const { host = "the issuer", proxy, addresses } = issuer;
  const isConnected = addresses.some(({ connectMs }) => connectMs !== undefined);
  const ms = Math.round(elapsedMs);
  return [
    {
      id: isConnected || proxy !== undefined ? "discovery-slow" : "issuer-timeout",
      severity: "suspect",
      title: isConnected
        ? "The issuer returned no documents before the time limit of this run."
        : "No connection to the issuer was established before the time limit of this run.",
      detail: `The documents of ${host} had not been read when the run ended after ${ms} ms.`,
      remedy:
        "IdP and network: make sure that the issuer's documents arrive within 5 s. Workload: run the doctor again with a longer --timeout.",
      evidence: { host, ms },
    },
  ];
}
