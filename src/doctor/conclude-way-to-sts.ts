import { CERTIFICATE_FAULTS } from "../model/certificate-faults.js";
import type { Finding } from "../model/findings.js";
import type { EndpointFacts, Facts } from "./facts.js";

type Part = NonNullable<EndpointFacts["failedIn"]>;

/** What stands between this machine and an endpoint, by the part of the request that failed. */
export function brokenEndpoint(
  endpoint: EndpointFacts,
  severity: "fatal" | "advice",
  settings: Facts["settings"],
): Finding[] {
  const { failedIn, error = "", host, region, proxy, totalMs } = endpoint;
  if (failedIn === undefined) return [];
  const isLate = error === "timeout" || error === "ETIMEDOUT";
  const id = isLate ? "sts-timeout" : failedIn === "tls" ? "sts-tls-untrusted" : "sts-unreachable";
  const title = titleOf(failedIn, isLate);
  const answer = isLate ? `no answer in ${Math.round(totalMs)} ms` : "it was cut before an answer";
  const problem = failedIn === "answer" ? `there is a connection, but ${answer}` : WORDS[failedIn];
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
        : "STS cannot be reached from here";
    case "tls":
      return isLate
        ? "STS does not finish the TLS handshake in time"
        : "The TLS certificate of the STS endpoint is not trusted";
    case "answer":
      return isLate ? "STS did not answer in time" : "STS cuts the connection without an answer";
  }
}

const WORDS: Readonly<Record<Exclude<Part, "answer">, string>> = {
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
    case "answer":
      return `find what accepts connections for ${host} without forwarding them (firewall, load balancer, VPC endpoint).`;
  }
}

/** What the host comes from, and so may be wrong. */
function chosenBy({ kind, region }: EndpointFacts, settings: Facts["settings"]): string {
  const source = settings.find(({ name }) => name === "endpointUrl")?.source ?? "option";
  if (kind !== "custom") return `the region ${region}`;
  return source === "option"
    ? "the endpoint URL"
    : source === "profile"
      ? "endpoint_url of the profile"
      : source;
}
