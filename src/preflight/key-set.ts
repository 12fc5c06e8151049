import type { Finding } from "../model/findings.js";
import {
  CAME_INSTEAD,
  isErrorAnswer,
  isJsonObject,
  type JsonObject,
  member,
  type NoObject,
  parseBody,
} from "./json-document.js";

/** Counted apart for RSA and EC: over the limit, STS takes no key of that type; observed 2026-09. */
export const MAX_KEYS_PER_TYPE = 100;

/** One entry of a JWKS with what its form says about its use by STS. */
export interface KeyEntry {
  readonly jwk: JsonObject;
  /** Absent when it is missing, empty or no string. */
  readonly kid: string | undefined;
  /** Why STS cannot use it, in words; absent when nothing speaks against it. */
  readonly problem: string | undefined;
}

export interface KeySet {
  readonly entries: readonly KeyEntry[];
  /** How many keys each of the two types has, usable or not. */
  readonly counts: Readonly<Record<"RSA" | "EC", number>>;
}

/** Reads a JWKS under STS's rules, or says why it is none. */
export function readKeySet(
  body: Uint8Array,
  url: string,
): { readonly keySet: KeySet } | { readonly finding: Finding } {
  const parsed = parseBody(body);
  if (parsed.kind !== "object") return { finding: notJson(url, parsed.kind) };
  const keys = member(parsed.value, "keys");
  if (keys === undefined && isErrorAnswer(parsed.value)) return { finding: notJson(url, "page") };
  if (!Array.isArray(keys) || keys.length === 0) return { finding: empty(url, keys) };
  const entries = (keys as unknown[]).filter(isJsonObject).map(readEntry);
  const count = (kty: string) => entries.filter(({ jwk }) => member(jwk, "kty") === kty).length;
  return { keySet: { entries, counts: { RSA: count("RSA"), EC: count("EC") } } };
}

function readEntry(jwk: JsonObject): KeyEntry {
  const kid = member(jwk, "kid");
  const named = typeof kid === "string" && kid !== "" ? kid : undefined;
  return { jwk, kid: named, problem: problemOf(jwk, named) };
}

function problemOf(jwk: JsonObject, kid: string | undefined): string | undefined {
  const has = (name: string) => (member(jwk, name) ?? undefined) !== undefined;
  if (kid === undefined) return "it has no kid";
  const kty = member(jwk, "kty");
  if (kty !== "RSA" && kty !== "EC") return "it is neither an RSA nor an EC key";
  if (has("use") && member(jwk, "use") !== "sig") return "its use is not sig";
  if (has("key_ops")) return "it has key_ops, which STS refuses whatever they say";
  const parameters = kty === "RSA" ? ["n", "e"] : ["crv", "x", "y"];
  const missing = parameters.filter((name) => !isParameter(member(jwk, name)));
  return missing.length === 0 ? undefined : `it lacks ${missing.join(" and ")}`;
}

function isParameter(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function notJson(url: string, came: NoObject): Finding {
  return {
    id: "jwks-not-json",
    // A page in its place is mostly an outage or a login wall, which may pass; so may a cut answer.
    severity: came === "other" ? "fatal" : "suspect",
    title: "The issuer's JWKS is no JSON object.",
    detail: `${url} answers 200 with ${CAME_INSTEAD[came]}.`,
    remedy: "IdP: serve the JWKS itself (RFC 7517, section 5), without a login.",
    evidence: { url, isPage: came === "page", isCut: came === "cut" },
  };
}

function empty(url: string, keys: unknown): Finding {
  const what = Array.isArray(keys) ? "an empty list of keys" : "no list of keys";
  return {
    id: "jwks-empty",
    severity: "fatal",
    title: "The issuer's JWKS has no keys.",
    detail: `${url} has ${what}.`,
    remedy: "IdP: publish the public keys that tokens are signed with.",
    evidence: { url },
  };
}
