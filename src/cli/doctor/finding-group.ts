import type { Finding } from "../../model/findings.js";

/** The parts that a report shows its checks by, in the order of a token's way. */
export const GROUPS = ["token", "issuer", "key", "sts", "role"] as const;

export type Group = (typeof GROUPS)[number];

export const GROUP_TITLES: Readonly<Record<Group, string>> = {
  token: "Token",
  issuer: "Issuer",
  key: "Key and signature",
  sts: "STS endpoint",
  role: "Role",
};

/** First match wins; an id that nobody thought of goes to the issuer. */
const BY_ID: readonly (readonly [RegExp, Group])[] = [
  [/^sts-(?:token-expired|audience)/, "role"],
  [/^token-/, "token"],
  [/^(?:jwks-key-|jwks-too-many-keys|signature-)/, "key"],
  [/^sts-(?:unreachable|timeout|tls|slow|region-slower)|^(?:region|endpoint|clock)-/, "sts"],
  [/^(?:sts|role|session-name|duration)-/, "role"],
];

/** Which part a finding belongs to. */
export function groupOf({ id, evidence }: Pick<Finding, "id" | "evidence">): Group {
  // An issuer's or an endpoint's: only the latter is of a region.
  if (id === "certificate-expires-soon" && evidence.region !== undefined) return "sts";
  return BY_ID.find(([ids]) => ids.test(id))?.[1] ?? "issuer";
}
