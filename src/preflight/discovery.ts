import type { Finding } from "../model/findings.js";
import { printable, safeText } from "../runtime/redact.js";
import { canonicalIssuer, isFetchable } from "./issuer-url.js";
import {
  CAME_INSTEAD,
  isErrorAnswer,
  type JsonObject,
  member,
  type NoObject,
  parseBody,
} from "./json-document.js";

/** What STS was seen to need of the document; observed 2026-09. */
const REQUIRED = [
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
] as const;

interface CheckedDiscovery {
  readonly findings: readonly Finding[];
  /** Where the keys are; absent when the document leads nowhere. */
  readonly jwksUrl?: URL | undefined;
}

/** Whether STS can use a discovery document: what it needs, and no more than that. */
export function checkDiscovery(body: Uint8Array, issuer: string, url: string): CheckedDiscovery {
  const parsed = parseBody(body);
  if (parsed.kind !== "object") return { findings: [notJson(url, parsed.kind)] };
  const document = parsed.value;
  const missing = REQUIRED.filter((name) => (member(document, name) ?? undefined) === undefined);
  const named = member(document, "issuer");
  if (named === undefined && missing.length === REQUIRED.length && isErrorAnswer(document)) {
    return { findings: [notJson(url, "page")] };
  }
  const findings: Finding[] = [];
  if (named !== canonicalIssuer(issuer)) findings.push(mismatch(named, issuer, url));
  if (missing.length > 0) findings.push(fieldMissing(missing, url));
  const jwksUrl = readJwksUri(document);
  if (jwksUrl === undefined && !missing.includes("jwks_uri")) {
    findings.push(jwksUriUnusable(document, url));
  }
  return { findings, jwksUrl };
}

function readJwksUri(document: JsonObject): URL | undefined {
  const text = member(document, "jwks_uri");
  if (typeof text !== "string" || text.length > 2_048 || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  url.hash = "";
  return isFetchable(url) ? url : undefined;
}

function shown(value: unknown): string {
  return typeof value === "string" ? safeText(value, 200) : typeof value;
}

function notJson(url: string, came: NoObject): Finding {
  return {
    id: "discovery-not-json",
    severity: "suspect",
    title: "Something else than a discovery document came from the issuer.",
    detail: `${url} answers 200 with ${CAME_INSTEAD[came]}.`,
    remedy:
      "IdP: serve the discovery document itself, without a login. Network: see that no captive portal or proxy answers in its place.",
    evidence: { url, isPage: came === "page", isCut: came === "cut" },
  };
}

function mismatch(named: unknown, issuer: string, url: string): Finding {
  const expected = printable(issuer, 200);
  return {
    id: "discovery-issuer-mismatch",
    severity: "fatal",
    title: "The discovery document is another issuer's.",
    detail: `The token's \`iss\` is ${JSON.stringify(expected)}; ${url} names ${JSON.stringify(shown(named))}. Case, path and a slash at the end count.`,
    remedy:
      "IdP: make `issuer` in the discovery document and `iss` in the tokens the same, character by character.",
    evidence: { url, issuer: shown(named), expected },
  };
}

function fieldMissing(missing: readonly string[], url: string): Finding {
  return {
    id: "discovery-field-missing",
    severity: "fatal",
    title: "The discovery document lacks what STS needs.",
    detail: `${url} has no ${missing.join(", ")}.`,
    remedy: "IdP: add the members that are missing to the discovery document.",
    evidence: { url, missing },
  };
}

function jwksUriUnusable(document: JsonObject, url: string): Finding {
  const text = member(document, "jwks_uri");
  const isUrl = typeof text === "string" && URL.canParse(text);
  return {
    id: "discovery-field-missing",
    // A URL of another scheme is not looked at from here; what STS makes of it is not known.
    severity: isUrl ? "suspect" : "fatal",
    title: "The discovery document names no https URL for its keys.",
    detail: `${url} has the jwks_uri ${JSON.stringify(shown(text))}.`,
    remedy: "IdP: name the https URL of the JWKS in `jwks_uri`.",
    evidence: { url, missing: ["jwks_uri"], jwksUri: shown(text) },
  };
}
