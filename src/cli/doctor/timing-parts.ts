import { isIP } from "node:net";
import type { Timing } from "../../doctor/diagnosis.js";
import { bareHostname } from "../../runtime/bare-hostname.js";

/** In the order they happen. */
export const PARTS = ["dns", "connect", "tls", "wait", "read"] as const;

export type PartName = (typeof PARTS)[number];

export const PART_TITLES: Readonly<Record<PartName, string>> = {
  dns: "DNS",
  connect: "connect",
  tls: "TLS",
  wait: "wait",
  read: "read",
};

interface TimingPart {
  readonly name: PartName;
  readonly fromMs: number;
  readonly ms: number;
}

/**
 * A request cut into its parts, which add up to its total. One that failed spent the rest of its
 * time in the part it did not get through.
 */
export function partsOf(timing: Timing): TimingPart[] {
  const { dnsMs = 0, connectMs = 0, tlsMs = 0, totalMs } = timing;
  const asked = Math.min(totalMs, dnsMs + connectMs + tlsMs);
  const answered = Math.min(totalMs, Math.max(asked, timing.firstByteMs ?? totalMs));
  const lengths = new Map<PartName, number>([
    ["dns", dnsMs],
    ["connect", connectMs],
    ["tls", tlsMs],
    ["wait", 0],
    ["read", totalMs - answered],
  ]);
  const rest = unfinishedPart(timing);
  lengths.set(rest, (lengths.get(rest) ?? 0) + answered - asked);
  const parts: TimingPart[] = [];
  let fromMs = 0;
  for (const [name, length] of lengths) {
    const ms = Math.min(length, totalMs - fromMs);
    if (ms > 0) parts.push({ name, fromMs, ms });
    fromMs += Math.max(0, ms);
  }
  return parts;
}

const OF_DNS = /^(?:ENOTFOUND|ENODATA|EAI_|timeout)/;

/** Where the time went that no part has to itself. */
function unfinishedPart({ step, url, error, firstByteMs, ...timing }: Timing): PartName {
  // The handshakes of the look at the network, side by side.
  if (step === "issuer-network" && timing.dnsMs === undefined) return "tls";
  const isTold = error !== undefined && firstByteMs === undefined;
  if (!isTold || url === undefined || !URL.canParse(url)) return "wait";
  const { protocol, hostname } = new URL(url);
  const isName = isIP(bareHostname({ hostname })) === 0;
  if (timing.connectMs === undefined) {
    // Where a proxy resolves, only the code tells the two apart.
    const isUnresolved = timing.dnsMs === undefined && isName && OF_DNS.test(error);
    return isUnresolved ? "dns" : "connect";
  }
  return protocol === "https:" && timing.tlsMs === undefined ? "tls" : "wait";
}

/** What came of a request, in a word: its status, its error, or nothing. */
export function outcomeOf({ status, error }: Timing): string {
  return error ?? (status === undefined ? "" : String(status));
}
