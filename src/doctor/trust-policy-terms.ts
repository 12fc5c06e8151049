import type { Finding, FindingId } from "../findings.js";
import type { Facts } from "./facts.js";

/** Refusals that somebody looks into with the role's trust policy and the OIDC provider at hand. */
const ABOUT_TRUST: readonly FindingId[] = [
  "sts-access-denied",
  "sts-audience-refused",
  "sts-provider-missing",
];

/**
 * Adds what the token has, under the names that a trust policy's conditions know it by (IAM user
 * guide, "Available keys for AWS OIDC federation"): the issuer without its scheme, and as audience
 * the authorized party where there is one.
 */
export function inTrustPolicyTerms(answer: Finding, { token, settings }: Facts): Finding {
  if (!ABOUT_TRUST.includes(answer.id) || token?.issuer === undefined) return answer;
  const provider = token.issuer.replace(/^https?:\/\//, "");
  const audience = token.authorizedParty ?? [token.audience ?? []].flat().join(", ");
  const values: readonly (readonly [string, string | undefined])[] = [
    ["aud", audience],
    ["sub", token.subject],
  ];
  const told = values.flatMap(([name, value]) =>
    value ? [`${provider}:${name} ${JSON.stringify(value)}`] : [],
  );
  if (told.length === 0) return answer;
  const role = settings.find(({ name }) => name === "roleArn")?.value;
  const ofRole = role === undefined ? "" : `; the role is ${role}`;
  return { ...answer, detail: `${answer.detail} The token has ${told.join(" and ")}${ofRole}.` };
}
