import type { Finding } from "../model/findings.js";
import type { Facts } from "./facts.js";

/** What was cut off before the issuer's documents came is no sign of health. */
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
        ? "The issuer returned no documents before the time of this run was up."
        : "No connection to the issuer was established before the time of this run was up.",
      detail: `${host} was not read when the run ended after ${ms} ms.`,
      remedy:
        "IdP and network: make sure that the issuer's documents arrive within 5 s. Workload: run the doctor again with a longer --timeout.",
      evidence: { host, ms },
    },
  ];
}
