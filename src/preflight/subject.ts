import type { Finding } from "../model/findings.js";
import { decodeToken, malformedToken } from "../model/jwt.js";
import { STS_ALGORITHMS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { discoveryUrl } from "./issuer-url.js";

/** Whose documents are looked at, and for which key. */
export interface Subject {
  readonly issuer: string;
  /** Whether a key is to be found among those of the issuer. */
  readonly asksForKey: boolean;
  /**
   * Absent when the token names none. The empty string is a kid like any other; null stands for a
   * kid that is no string.
   */
  readonly kid: string | null | undefined;
  /** Absent when there is no token. */
  readonly alg: string | undefined;
  /** Verified with the key; never told. */
  readonly token: string | undefined;
}

/** What a token says of its issuer and key, or why nothing can be looked at. */
export function subjectOfToken(token: string): Subject | Finding {
  const decoded = decodeToken(token);
  if ("problem" in decoded) return malformedToken(decoded);
  const { header, claims } = decoded;
  const issuer = typeof claims.iss === "string" ? claims.iss : "";
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  const { kid, alg } = header;
  // What STS makes of other algorithms is no matter of keys.
  const isUsual = typeof alg === "string" && STS_ALGORITHMS.includes(alg);
  return {
    issuer,
    asksForKey: isUsual,
    kid: kid === undefined || typeof kid === "string" ? kid : null,
    alg: isUsual ? alg : undefined,
    token,
  };
}

/** An issuer, and a key of it if one is named. */
export function subjectOfIssuer(issuer: string, kid: string | undefined): Subject | Finding {
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  return { issuer, asksForKey: kid !== undefined, kid, alg: undefined, token: undefined };
}

function invalidIssuer(issuer: string): Finding {
  const shown = safeText(issuer, 100);
  return {
    id: "token-claim-invalid",
    // IAM takes https URLs without a query as issuers alone (API reference, CreateOpenIDConnectProvider).
    severity: "fatal",
    title: "The issuer is not a URL that STS can get keys from.",
    detail: `The issuer ${JSON.stringify(shown)} is not a plain https URL.`,
    remedy: "IdP: name the issuer by an https URL without query, fragment or user name.",
    evidence: { claim: "iss", problem: "is no https URL" },
  };
}
