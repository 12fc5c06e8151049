import type { Finding } from "../model/findings.js";
import { FROM_HERE, tryElsewhere, withCommands } from "./another-network.js";
import { addressFindings } from "./conclude-addresses.js";
import type { Facts, IssuerFacts, TlsFacts } from "./facts.js";

/** The pre-flight's findings in the light of the network's facts and of what STS made of the token. */
export function issuerFindings(findings: readonly Finding[], facts: Facts): Finding[] {
  const { issuer, assumeRole } = facts;
  if (issuer === undefined) return [...findings];
  const refined = findings.map((each) => refine(each, issuer));
  const isAccepted = assumeRole?.outcome === "ok";
  const isAsked = assumeRole !== undefined;
  const isReached = !refined.some(({ id }) => FROM_HERE.includes(id));
  const uneven = isReached ? addressFindings(issuer) : [];
  return [...refined, ...uneven, ...tlsFindings(issuer, refined)].map((each) => {
    const told = isAccepted ? contradicted(each) : each;
    return FROM_HERE.includes(each.id) ? withOtherNetwork(told, issuer, isAsked, isAccepted) : told;
  });
}

/** A limit that ran out says where, and where decides what it means. */
function refine(finding: Finding, issuer: IssuerFacts): Finding {
  const { host = "the issuer", dnsError, tls, proxy } = issuer;
  const { id, evidence } = finding;
  if (id === "issuer-timeout" && dnsError !== undefined) {
    return {
      ...finding,
      id: "issuer-dns-failure",
      title: "The issuer's name does not resolve here.",
      detail: `${host} cannot be resolved (${dnsError}).`,
      remedy: "Network: check the name in `iss`, and this machine's DNS.",
    };
  }
  const isUnconnected = evidence.phase === "dns" || evidence.phase === "connect";
  if (id === "jwks-timeout" && isUnconnected) {
    const { host: keyHost } = new URL(String(evidence.url));
    return {
      ...finding,
      id: "issuer-timeout",
      title:
        "No connection to the host of the JWKS: a firewall that drops packets looks like this.",
      detail: `${keyHost} could not be connected to in phase "${String(evidence.phase)}".`,
      remedy: `Network: let this machine (and STS) reach ${keyHost}, which is not the issuer's own host, on its port.`,
    };
  }
  const isReaching = id === "issuer-timeout" || id === "issuer-connection-refused";
  if (isReaching && isUnconnected && proxy !== undefined) {
    const code = evidence.code === undefined ? "no answer" : String(evidence.code);
    return {
      ...finding,
      title: "The proxy did not connect to the issuer.",
      detail: `The proxy ${proxy} did not connect to ${host} (${code}).`,
      remedy: `Network: make sure that the proxy is up and lets this machine connect to ${host}; Workload: correct HTTPS_PROXY, or name ${host} in NO_PROXY.`,
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

/** What only the handshakes tell. */
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
      detail: `${host} serves ${served.join(" | ")}; each must be followed by its issuer.`,
      remedy: "IdP: serve the certificate first, then each intermediate after the one it signed.",
      evidence: { served },
    },
  ];
}

/** STS accepted the token a moment ago: what speaks against it here is not certain any more. */
function contradicted(finding: Finding): Finding {
  // Nothing could be read here, but STS still speaks what the issuer does.
  if (finding.id === "issuer-tls-old") {
    const detail = `${finding.detail} STS accepted the token anyway.`;
    return { ...finding, severity: "advice", detail };
  }
  // What rests on one report is refuted by this answer.
  if (finding.confirmedBy !== undefined || isInDoubt(finding)) {
    const { confirmedBy: _, ...told } = finding;
    const detail = `${finding.detail} STS accepted the token anyway.`;
    return { ...told, severity: "advice", detail };
  }
  if (finding.severity !== "fatal") return finding;
  const detail = `${finding.detail} STS accepted the token a moment ago: it caches keys for a while.`;
  return { ...finding, severity: "suspect", detail };
}

/** A key in a form that STS has not been observed to refuse. */
function isInDoubt({ id, severity }: Finding): boolean {
  return severity === "suspect" && (id === "jwks-key-unusable" || id === "jwks-key-ambiguous");
}

function withOtherNetwork(
  finding: Finding,
  issuer: IssuerFacts,
  isAsked: boolean,
  isAccepted: boolean,
): Finding {
  if (isAccepted) {
    const detail = `${finding.detail} STS accepted the token anyway: it reaches the issuer from its own network, or still has its keys.`;
    return { ...finding, detail };
  }
  const words = isAsked ? "" : " STS may still reach it: only this machine was checked.";
  const { url } = finding.evidence;
  const commands = tryElsewhere(issuer, typeof url === "string" ? url : undefined);
  const remedy = withCommands(finding.remedy, commands);
  return { ...finding, detail: `${finding.detail}${words}`, remedy };
}
