import type { Finding, FindingId } from "../model/findings.js";
import type { Facts } from "./facts.js";

/** The claims that decide a refusal which somebody looks into with the trust policy at hand. */
const DECIDING: Readonly<Partial<Record<FindingId, readonly ("aud" | "sub")[]>>> = {
  "sts-access-denied": ["aud", "sub"],
  "sts-audience-refused": ["aud"],
  "sts-provider-missing": [],
};

/**
 * Adds what the token has, under the names that a trust policy's conditions know it by (IAM user
 * guide, "Available keys for AWS OIDC federation"): the issuer without its scheme, and as audience
 * the authorized party where there is one.
 */
export function inTrustPolicyTerms(answer: Finding, { token, settings }: Facts): Finding {
  const claims = DECIDING[answer.id];
  if (claims === undefined || token?.issuer === undefined) return answer;
  const provider = token.issuer.replace(/^https?:\/\//, "");
  const values: Readonly<Record<string, string | undefined>> = {
    aud: token.azp ?? [token.audience ?? []].flat().join(", "),
    sub: token.subject,
  };
  const told = claims.flatMap((claim) =>
    values[claim] ? [`${provider}:${claim} ${JSON.stringify(values[claim])}`] : [],
  );
  const role = settings.find(({ name }) => name === "roleArn")?.value;
  const sentences = [
    answer.detail.replace(/\.?$/, "."),
    ...(told.length > 0 ? [`The token has ${told.join(" and ")}.`] : []),
    ...(role === undefined ? [] : [`The role is ${role}.`]),
  ];
  return { ...answer, detail: sentences.join(" ") };
}
