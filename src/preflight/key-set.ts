import type { Finding, KeyRefusal } from "../model/findings.js";
import { STS_CURVES } from "../model/jwk.js";
import {
  byteOrderMark,
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

/** What speaks against the use of a key by STS. */
export interface KeyProblem {
  /** Fits after "it is published, but". */
  readonly words: string;
  /** Whether STS was observed to refuse such a key, or no verifier could use it. */
  readonly isCertain: boolean;
  /** The refusal that STS was reported to answer, in one report. */
  readonly confirmedBy?: KeyRefusal | undefined;
}

/** One entry of a JWKS with what its form says about its use by STS. */
export interface KeyEntry {
  readonly jwk: JsonObject;
  /** The empty string is a kid like any other. Absent when it is missing or no string. */
  readonly kid: string | undefined;
  /** Absent when nothing in its form speaks against it. */
  readonly problem: KeyProblem | undefined;
}

export interface KeySet {
  readonly entries: readonly KeyEntry[];
  /** How many keys each of the two types has, usable or not. */
  readonly counts: Readonly<Record<"RSA" | "EC", number>>;
}

interface ReadKeySet {
  /** Absent when there are no keys. */
  readonly keySet?: KeySet | undefined;
  readonly findings: readonly Finding[];
}

/** Reads a JWKS under STS's rules, or says why it is none. */
export function readKeySet(body: Uint8Array, url: string): ReadKeySet {
  const parsed = parseBody(body);
  const marked = parsed.hasByteOrderMark ? [byteOrderMark("jwks", url)] : [];
  if (parsed.kind !== "object") return { findings: [...marked, notJson(url, parsed.kind)] };
  const keys = member(parsed.value, "keys");
  if (keys === undefined && isErrorAnswer(parsed.value)) {
    return { findings: [...marked, notJson(url, "page")] };
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    return { findings: [...marked, empty(url, keys)] };
  }
  const entries = (keys as unknown[]).filter(isJsonObject).map(readEntry);
  const count = (kty: string) => entries.filter(({ jwk }) => member(jwk, "kty") === kty).length;
  return { findings: marked, keySet: { entries, counts: { RSA: count("RSA"), EC: count("EC") } } };
}

function readEntry(jwk: JsonObject): KeyEntry {
  const kid = member(jwk, "kid");
  return { jwk, kid: typeof kid === "string" ? kid : undefined, problem: formProblem(jwk) };
}

/** Names of secp256k1 (RFC 8812 and before it), which no algorithm of STS signs on. */
const OTHER_CURVES: readonly unknown[] = ["secp256k1", "P-256K"];

/**
 * What the form of a key says against it. Certain is what STS was observed to refuse (2026-09): no
 * kid, `use: enc`, any `key_ops`, no n and e. A member in a form that nobody has seen is not absent:
 * it makes nothing certain.
 */
function formProblem(jwk: JsonObject): KeyProblem | undefined {
  const problems = [...certainProblems(jwk), ...unusualForms(jwk)];
  return problems[0];
}

function certainProblems(jwk: JsonObject): KeyProblem[] {
  const certain = (words: string) => [{ words, isCertain: true }];
  if (member(jwk, "kid") === undefined) return certain("it has no kid");
  const kty = member(jwk, "kty");
  // STS verifies RS256/384/512 and ES256/384/512 alone: no other type of key fits one of them.
  if (kty !== "RSA" && kty !== "EC") return certain("it is neither an RSA nor an EC key");
  if (member(jwk, "use") === "enc") return certain("its use is enc, not sig");
  const operations = member(jwk, "key_ops");
  if (Array.isArray(operations) && operations.length > 0) {
    return certain("it has key_ops, which STS refuses whatever they say");
  }
  const crv = member(jwk, "crv");
  // ES256, ES384 and ES512 are on other curves (RFC 7518, section 3.4).
  if (kty === "EC" && OTHER_CURVES.includes(crv)) {
    return certain(`it is on the curve ${String(crv)}; STS takes ${STS_CURVES.join(", ")}`);
  }
  const parameters = kty === "RSA" ? ["n", "e"] : ["crv", "x", "y"];
  const missing = parameters.filter((name) => (member(jwk, name) ?? "") === "");
  return missing.length === 0 ? [] : certain(`it lacks ${missing.join(" and ")}`);
}

function unusualForms(jwk: JsonObject): KeyProblem[] {
  const doubt = (words: string): KeyProblem => ({ words, isCertain: false });
  const problems: KeyProblem[] = [];
  if (typeof member(jwk, "kid") !== "string") {
    problems.push(doubt(`its kid is ${kindOf(member(jwk, "kid"))}, not a string`));
  }
  const use = member(jwk, "use") ?? undefined;
  if (use !== undefined && use !== "sig") {
    const shown = typeof use === "string" ? JSON.stringify(use.slice(0, 40)) : kindOf(use);
    problems.push(doubt(`its use is ${shown}, not sig`));
  }
  const operations = member(jwk, "key_ops") ?? undefined;
  if (operations !== undefined) problems.push(doubt("it has an unusual key_ops"));
  for (const name of ["n", "e", "crv", "x", "y"]) {
    const value = member(jwk, name) ?? undefined;
    if (value !== undefined && typeof value !== "string") {
      problems.push(doubt(`its ${name} is ${kindOf(value)}, not a string`));
    }
  }
  const crv = member(jwk, "crv");
  if (jwk.kty === "EC" && typeof crv === "string" && !STS_CURVES.includes(crv)) {
    problems.push(doubt(`it is on the curve ${JSON.stringify(crv.slice(0, 40))}`));
  }
  const x5c = member(jwk, "x5c") ?? undefined;
  if (x5c !== undefined && !(Array.isArray(x5c) && x5c.every((each) => typeof each === "string"))) {
    problems.push(doubt("its x5c is not a list of strings"));
  }
  return problems;
}

/** A value by its JSON type, to follow "is". */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "an object";
  return `a ${typeof value}`;
}

function notJson(url: string, came: NoObject): Finding {
  return {
    id: "jwks-not-json",
    // A page in its place is mostly an outage or a login wall, which may pass; so may a cut answer.
    // JSON of another kind has no keys for any parser; what a lenient one makes of the rest is not
    // known, until STS does not find the key.
    severity: came === "other" ? "fatal" : "suspect",
    title: "The issuer's JWKS is not a JSON object.",
    detail: `${url} answers 200 with ${CAME_INSTEAD[came]}.`,
    remedy: "IdP: serve the JWKS itself (RFC 7517, section 5), without a login.",
    evidence: { url, isPage: came === "page", isCut: came === "cut" },
    ...(came === "lenient" && { confirmedBy: "verification-key" }),
  };
}

function empty(url: string, keys: unknown): Finding {
  const what = Array.isArray(keys) ? "an empty list of keys" : "no list of keys";
  return {
    id: "jwks-empty",
    // STS was observed to refuse a token whose kid the JWKS does not have (2026-09).
    severity: "fatal",
    title: "The issuer's JWKS has no keys.",
    detail: `${url} has ${what}.`,
    remedy: "IdP: publish the public keys that tokens are signed with.",
    evidence: { url },
  };
}
