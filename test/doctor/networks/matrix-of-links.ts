import { type Addresses, HOSTS, OTHER_REGION } from "./addresses.js";
import type { NetworkRow } from "./network-row.js";

const ANY_ISSUER = "--allow-private-issuers";
const WITH_FAILOVER = [ANY_ISSUER, "--failover-region", OTHER_REGION];
const PROXIED = { HTTPS_PROXY: `http://${HOSTS.proxy}:3128` };

/** Loses the first packets of connections to STS: TCP sends the next one 1 s, then 2 s later (RFC 6298). */
const losesPackets = (count: 1 | 2) => (at: Addresses) => {
  const first = `ip saddr ${at.workload} ip daddr ${at.sts} tcp flags & (syn | ack) == syn`;
  return ["once", "twice"]
    .slice(0, count)
    .map((seen) => `${first} tcp sport != @${seen} add @${seen} { tcp sport } drop`);
};

/** Links, routes and proxies, and which STS they lead to. */
export const LINK_ROWS: readonly NetworkRow[] = [
  { name: "real names, and certificates of a private CA", cause: null, verdict: "healthy" },
  {
    name: "a slow link",
    link: ({ link }) => `qdisc add dev ${link} root tbf rate 256kbit burst 3kb latency 5s`,
    cause: null,
    verdict: "healthy",
  },
  {
    name: "the way to STS loses the first packet of each connection",
    incoming: losesPackets(1),
    cause: null,
    verdict: "healthy",
  },
  {
    name: "the way to STS loses packets, the one to the failover region does not",
    incoming: losesPackets(2),
    args: WITH_FAILOVER,
    cause: null,
    verdict: "healthy",
    also: ["sts-slow", "sts-region-slower"],
  },
  {
    name: "calls go to the global endpoint of STS",
    env: { AWS_STS_REGIONAL_ENDPOINTS: "legacy" },
    cause: null,
    verdict: "healthy",
    also: ["endpoint-global"],
  },
  {
    name: "calls go to the global endpoint of STS, which a firewall drops",
    env: { AWS_STS_REGIONAL_ENDPOINTS: "legacy" },
    incoming: ({ workload, globalSts }) => [`ip saddr ${workload} ip daddr ${globalSts} drop`],
    cause: "sts-timeout",
    verdict: "broken",
    also: ["endpoint-global"],
  },
  {
    name: "no region is configured, and STS of the default one is out of reach",
    env: { AWS_REGION: "" },
    cause: "sts-unreachable",
    verdict: "broken",
    also: ["region-defaulted"],
  },
  {
    name: "IPv6 is broken and IPv4 works",
    names: ({ issuerHost, issuer, issuerV6, sts, stsV6 }) => ({
      [issuerHost]: [issuerV6, issuer],
      [HOSTS.sts]: [stsV6, sts],
    }),
    incoming: ({ workloadV6 }) => [`ip6 saddr ${workloadV6} drop`],
    cause: null,
    verdict: "healthy",
  },
  {
    name: "one of the issuer's two addresses is dead",
    names: ({ issuerHost, issuer, issuerToo }) => ({ [issuerHost]: [issuerToo, issuer] }),
    incoming: ({ issuerToo }) => [`ip daddr ${issuerToo} drop`],
    cause: "issuer-timeout",
    verdict: "degraded",
  },
  {
    name: "there is no route at all",
    routes: ({ issuer, sts }) => [
      `route add unreachable ${issuer}`,
      `route add unreachable ${sts}`,
    ],
    cause: "sts-unreachable",
    verdict: "broken",
    also: ["issuer-connection-refused"],
    says: /EHOSTUNREACH/,
  },
  {
    name: "the issuer is behind a proxy, which alone knows its name",
    env: PROXIED,
    names: ({ issuerHost }) => ({ [issuerHost]: "unknown" }),
    incoming: ({ workload, issuer }) => [`ip saddr ${workload} ip daddr ${issuer} drop`],
    cause: null,
    verdict: "healthy",
    also: ["proxy-in-use"],
  },
  {
    name: "everything is behind a proxy, and the SDK does not use it",
    env: PROXIED,
    incoming: ({ workload, issuer, sts }) => [
      `ip saddr ${workload} ip daddr { ${issuer}, ${sts} } drop`,
    ],
    cause: "sts-timeout",
    verdict: "broken",
    also: ["proxy-in-use"],
    says: /proxy .* the AWS SDK does not use it/,
  },
  {
    name: "the proxy is dead",
    env: PROXIED,
    incoming: ({ proxy }) => [`ip daddr ${proxy} drop`],
    cause: "issuer-timeout",
    verdict: "degraded",
    also: ["proxy-in-use"],
    says: /^The proxy http:\/\/proxy\.example:3128 did not connect to world\d+\.issuer/,
  },
  {
    name: "the proxy's name is wrong",
    env: { HTTPS_PROXY: "http://poxy.example:3128" },
    cause: "issuer-connection-refused",
    verdict: "degraded",
    also: ["proxy-in-use"],
    says: /^The proxy http:\/\/poxy\.example:3128 did not connect .*ENOTFOUND/,
  },
];
