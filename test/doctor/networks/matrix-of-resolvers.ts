import { HOSTS } from "./addresses.js";
import type { NetworkRow } from "./network-row.js";

/** A resolver that responds wrongly to the workload. */
export const RESOLVER_ROWS: readonly NetworkRow[] = [
  {
    name: "the resolver is dead",
    names: () => ({ "*": "silence" }),
    incoming: ({ resolver }) => [`ip daddr ${resolver} udp dport 53 drop`],
    cause: "sts-timeout",
    verdict: "broken",
    also: ["issuer-dns-failure"],
  },
  {
    name: "the resolver gets no response about the issuer",
    names: ({ issuerHost }) => ({ [issuerHost]: "silence" }),
    cause: "issuer-dns-failure",
    verdict: "degraded",
    says: /STS accepted the token anyway/,
  },
  {
    name: "the resolver fails for the issuer",
    names: ({ issuerHost }) => ({ [issuerHost]: "servfail" }),
    cause: "issuer-dns-failure",
    verdict: "degraded",
    says: /EAI_AGAIN/,
  },
  {
    name: "no resolver knows the issuer's name",
    names: ({ issuerHost }) => ({ [issuerHost]: "unknown" }),
    stsResolvesIssuer: false,
    cause: "issuer-dns-failure",
    verdict: "broken",
    also: ["sts-verification-key"],
    says: /ENOTFOUND/,
  },
  {
    name: "the resolver does not know STS in this region",
    names: () => ({ [HOSTS.sts]: "unknown" }),
    cause: "sts-unreachable",
    verdict: "broken",
    says: /ENOTFOUND in phase "dns"/,
  },
  {
    name: "the resolver fails for STS, and a firewall drops what goes to the issuer",
    names: () => ({ [HOSTS.sts]: "servfail" }),
    incoming: ({ workload, issuer }) => [`ip saddr ${workload} ip daddr ${issuer} drop`],
    cause: "sts-unreachable",
    verdict: "broken",
    also: ["issuer-timeout"],
    says: /EAI_AGAIN/,
  },
  {
    name: "the resolver leads every name to a portal",
    names: ({ issuerHost, portal }) => ({ [issuerHost]: [portal], [HOSTS.sts]: [portal] }),
    cause: "sts-tls-untrusted",
    verdict: "broken",
    also: ["issuer-tls-untrusted"],
  },
  {
    name: "the resolver returns a private address for the issuer",
    args: [],
    cause: "issuer-private",
    verdict: "degraded",
  },
];
