import type { Addresses } from "./addresses.js";
import type { NetworkRow } from "./network-row.js";

type Server = "issuer" | "sts" | "otherSts" | "globalSts";

/** Packets of the workload to one server; STS goes another way. */
const fromHere = (to: Server, verdict: string) => (at: Addresses) => [
  `ip saddr ${at.workload} ip daddr ${at[to]} ${verdict}`,
];

/** Packets to one server, STS's among them. */
const fromAnywhere = (to: Server, verdict: string) => (at: Addresses) => [
  `ip daddr ${at[to]} ${verdict}`,
];

const DROP = "drop";
const RESET = "meta l4proto tcp reject with tcp reset";
const PROHIBITED = "reject with icmp type admin-prohibited";

/** What a TLS handshake needs and a greeting does not: more than this, in bytes. */
const LARGE = 600;

/** Firewalls between the workload, its issuer and STS. */
export const FIREWALL_ROWS: readonly NetworkRow[] = [
  {
    name: "a firewall drops all packets to the issuer",
    incoming: fromAnywhere("issuer", DROP),
    cause: "issuer-timeout",
    verdict: "broken",
    also: ["sts-verification-key"],
    says: /phase "connect"/,
  },
  {
    name: "a firewall drops what this machine sends to the issuer: STS gets through",
    incoming: fromHere("issuer", DROP),
    cause: "issuer-timeout",
    verdict: "degraded",
    says: /STS accepted the token anyway/,
  },
  {
    name: "a firewall resets all packets to the issuer",
    incoming: fromAnywhere("issuer", RESET),
    cause: "issuer-connection-refused",
    verdict: "broken",
    also: ["sts-verification-key"],
    says: /ECONNREFUSED/,
  },
  {
    name: "a firewall prohibits what this machine sends to the issuer",
    incoming: fromHere("issuer", PROHIBITED),
    cause: "issuer-connection-refused",
    verdict: "degraded",
    says: /EHOSTUNREACH/,
  },
  {
    name: "a firewall drops what this machine sends to STS",
    incoming: fromHere("sts", DROP),
    cause: "sts-timeout",
    verdict: "broken",
    says: /phase "connect"/,
  },
  {
    name: "a firewall resets what this machine sends to STS",
    incoming: fromHere("sts", RESET),
    cause: "sts-unreachable",
    verdict: "broken",
    says: /ECONNREFUSED/,
  },
  {
    name: "a firewall prohibits what this machine sends to STS",
    incoming: fromHere("sts", PROHIBITED),
    cause: "sts-unreachable",
    verdict: "broken",
    says: /EHOSTUNREACH/,
  },
  {
    name: "a firewall lets nothing out",
    incoming: ({ workload }) => [
      `ip saddr ${workload} udp dport != 53 drop`,
      `ip saddr ${workload} tcp dport 443 drop`,
    ],
    cause: "sts-timeout",
    verdict: "broken",
    also: ["issuer-timeout"],
  },
  {
    name: "a firewall in front of the failover region alone",
    incoming: fromHere("otherSts", DROP),
    args: ["--allow-private-issuers", "--failover-region", "eu-central-1"],
    cause: null,
    verdict: "healthy",
    also: ["sts-timeout"],
  },
  {
    name: "a firewall that reads names cuts handshakes with the issuer",
    incoming: ({ workload, issuer }) => [
      `ip saddr ${workload} ip daddr ${issuer} tcp flags & psh == psh reject with tcp reset`,
    ],
    cause: "issuer-connection-refused",
    verdict: "degraded",
    says: /ECONNRESET in phase "tls"/,
  },
  {
    name: "large packets of the issuer get lost on every way",
    outgoing: ({ issuer }) => [`ip saddr ${issuer} meta length > ${LARGE} drop`],
    cause: "issuer-timeout",
    verdict: "broken",
    also: ["sts-verification-key"],
    says: /phase "tls"/,
  },
  {
    name: "large packets of STS get lost on the way here",
    outgoing: ({ workload, sts }) => [
      `ip saddr ${sts} ip daddr ${workload} meta length > ${LARGE} drop`,
    ],
    cause: "sts-timeout",
    verdict: "broken",
    says: /phase "tls"/,
  },
];
