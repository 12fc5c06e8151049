import type { Finding } from "../model/findings.js";
import { STS_ALGORITHMS, STS_DISCOVERY_MEMBERS } from "../model/sts-limits.js";
import {
  byteOrderMark,
  CAME_INSTEAD,
  isErrorResponse,
  type JsonObject,
  member,
  type NoObject,
  parseBody,
  shownText,
} from "./json-document.js";
import { canonicalIssuer, isFetchable, MAX_URL_LENGTH } from "./subject.js";

interface CheckedDiscovery {
  readonly findings: readonly Finding[];
  /** Where the keys are; absent when the document names no usable URL. */
  readonly jwksUrl?: URL | undefined;
}

/** Checks whether STS can use a discovery document. Only what STS needs counts. */
export function checkDiscovery(body: Uint8Array, issuer: string, url: string): CheckedDiscovery {
  const parsed = parseBody(body);
  const marked = parsed.hasByteOrderMark ? [byteOrderMark("discovery", url)] : [];
  if (parsed.kind !== "object") return { findings: [...marked, notJson(url, parsed.kind)] };
  const document = parsed.value;
  const missing = STS_DISCOVERY_MEMBERS.filter(
    (name) => (member(document, name) ?? undefined) === undefined,
  );
  const named = member(document, "issuer");
  if (
    named === undefined &&
    missing.length === STS_DISCOVERY_MEMBERS.length &&
    isErrorResponse(document)
  ) {
    return { findings: [...marked, notJson(url, "page")] };
  }
  const findings: Finding[] = [...marked];
  if (named !== canonicalIssuer(issuer)) findings.push(mismatch(named, issuer, url));
  if (missing.length > 0) findings.push(fieldMissing(document, missing, url));
  const jwksUrl = readJwksUri(document);
  if (jwksUrl === undefined && !missing.includes("jwks_uri")) {
    findings.push(jwksUriUnusable(document, url));
  }
  return { findings: [...findings, ...algorithmsUnsupported(document, url)], jwksUrl };
}

function readJwksUri(document: JsonObject): URL | undefined {
  const text = member(document, "jwks_uri");
  if (typeof text !== "string" || text.length > MAX_URL_LENGTH || !URL.canParse(text))
    return undefined;
  const url = new URL(text);
  url.hash = "";
  return isFetchable(url) ? url : undefined;
}

function shown(value: unknown): string {
  return typeof value === "string" ? shownText(value, 200) : typeof value;
}

function notJson(url: string, came: NoObject): Finding {
  return {
    id: "discovery-not-json",
    severity: "suspect",
    title: "The issuer returned something other than a discovery document.",
    detail: `${url} returns 200 with ${CAME_INSTEAD[came]}.`,
    remedy:
      "IdP: serve the discovery document itself, without a login. Network: make sure that no captive portal or proxy responds in its place.",
    evidence: { url, isPage: came === "page", isCut: came === "cut" },
    ...((came === "lenient" || came === "list") && { confirmedBy: "verification-key" }),
  };
}

function mismatch(named: unknown, issuer: string, url: string): Finding {
  const expected = shownText(issuer, 200);
  // Two spellings of the same characters; whether STS treats them as equal is not known.
  const isSpelling = typeof named === "string" && isSameText(named, canonicalIssuer(issuer));
  return {
    id: "discovery-issuer-mismatch",
    // OpenID Connect Discovery 1.0, section 4.3, requires them to be equal. STS was observed to compare
    // `iss` with the IAM OIDC provider exactly (2026-09); whether it compares the document's `issuer` is
    // not known.
    severity: "suspect",
    title: "The discovery document belongs to another issuer.",
    detail: `The token's \`iss\` is ${JSON.stringify(expected)}; ${url} names ${JSON.stringify(shown(named))}. Case, path and a slash at the end count.`,
    remedy:
      "IdP: make `issuer` in the discovery document and `iss` in the tokens the same, character by character.",
    evidence: { url, issuer: shown(named), expected },
    ...(!isSpelling && { confirmedBy: "verification-key" }),
  };
}

/**
 * Whether two texts have the same characters after Unicode normalization. Its time grows with the square
 * of a run of combining marks: more than a minute for a run as long as a document.
 */
function isSameText(one: string, other: string): boolean {
  if (one.length > MAX_URL_LENGTH || other.length > MAX_URL_LENGTH) return false;
  return one.normalize() === other.normalize();
}

function fieldMissing(document: JsonObject, missing: readonly string[], url: string): Finding {
  const isAbsent = missing.some((name) => member(document, name) === undefined);
  return {
    id: "discovery-field-missing",
    // STS was observed to refuse documents that lack a member (2026-09). For null that is not known.
    severity: isAbsent ? "fatal" : "suspect",
    title: "The discovery document lacks what STS needs.",
    detail: `${url} has no ${missing.join(", ")}.`,
    remedy: "IdP: add the missing members to the discovery document.",
    evidence: { url, missing },
  };
}

function jwksUriUnusable(document: JsonObject, url: string): Finding {
  const text = member(document, "jwks_uri");
  return {
    id: "discovery-field-missing",
    // How STS treats a relative URL, another scheme, a very long URL, or a value that is not a string is
    // not known.
    severity: "suspect",
    title: "The discovery document names no https URL for its keys.",
    detail: `${url} has the jwks_uri ${JSON.stringify(shown(text))}.`,
    remedy: "IdP: set `jwks_uri` to the https URL of the JWKS.",
    evidence: { url, missing: ["jwks_uri"], jwksUri: shown(text) },
    confirmedBy: "verification-key",
  };
}

/** Only advice, because the list does not prove how tokens are signed. */
function algorithmsUnsupported(document: JsonObject, url: string): Finding[] {
  const listed = member(document, "id_token_signing_alg_values_supported");
  const names = Array.isArray(listed) ? listed.filter((each) => typeof each === "string") : [];
  if (names.length === 0 || names.some((name) => STS_ALGORITHMS.includes(name))) return [];
  const shownNames = names.slice(0, 10).map((name) => shownText(name, 40));
  return [
    {
      id: "discovery-algorithms-unsupported",
      severity: "advice",
      title: "The issuer names no signature algorithm that STS verifies.",
      detail: `${url} lists ${shownNames.join(", ")} in id_token_signing_alg_values_supported; STS verifies only ${STS_ALGORITHMS.join(", ")}.`,
      remedy: "IdP: sign the tokens for AWS with RS256 or ES256, and list the algorithm.",
      evidence: { url, listed: shownNames, supported: STS_ALGORITHMS },
    },
  ];
}
