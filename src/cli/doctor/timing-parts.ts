import type { Timing } from "../../doctor/diagnosis.js";

/** After this long STS gives up on an identity provider. */
export const IDP_LIMIT_MS = 5000;

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

/** A request cut into its parts, which add up to its total. */
export function partsOf(timing: Timing): TimingPart[] {
  const { dnsMs = 0, connectMs = 0, tlsMs = 0, totalMs } = timing;
  const asked = Math.min(totalMs, dnsMs + connectMs + tlsMs);
  const answered = Math.min(totalMs, Math.max(asked, timing.firstByteMs ?? totalMs));
  const lengths: readonly (readonly [PartName, number])[] = [
    ["dns", dnsMs],
    ["connect", connectMs],
    ["tls", tlsMs],
    ["wait", answered - asked],
    ["read", totalMs - answered],
  ];
  const parts: TimingPart[] = [];
  let fromMs = 0;
  for (const [name, length] of lengths) {
    const ms = Math.min(length, totalMs - fromMs);
    if (ms > 0) parts.push({ name, fromMs, ms });
    fromMs += Math.max(0, ms);
  }
  return parts;
}

/** What came of a request, in a word: its status, its error, or nothing. */
export function outcomeOf({ status, error }: Timing): string {
  return error ?? (status === undefined ? "" : String(status));
}
