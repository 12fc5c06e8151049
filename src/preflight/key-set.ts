// Reads a JWKS by STS's rules, and finds what is wrong with each key, independent of a token.

import { createPublicKey, X509Certificate } from "node:crypto";
import type { Finding, KeyRefusal } from "../model/findings.js";
import { bareKey, keyFormProblem, MAX_NUMBER_LENGTH, STS_CURVES } from "../model/jwk.js";
import { STS_MAX_KEYS_PER_TYPE } from "../model/sts-limits.js";
import {
  byteOrderMark,
  CAME_INSTEAD,
  isErrorResponse,
  isJsonObject,
  type JsonObject,
  member,
  type NoObject,
  parseBody,
} from "./json-document.js";

/** A reason why STS can't use a key, or may not be able to. */
export interface KeyProblem {
  /** The reason, to follow "it is published, but". */
  readonly words: string;
  /** Whether STS was observed to refuse such keys, or no verifier could use them. */
  readonly isCertain: boolean;
  /** How STS refused such a key, according to one report. */
  readonly confirmedBy?: KeyRefusal | undefined;
}

/** One entry of a JWKS, and whether STS can use a key of its form. */
export interface KeyEntry {
  readonly jwk: JsonObject;
  /** The empty string is a valid kid. Absent when the key has no kid, or one that is not a string. */
  readonly kid: string | undefined;
  /** What is wrong with the key's form; absent if nothing is. */
  readonly problem: KeyProblem | undefined;
}

export interface KeySet {
  /** The first keys of each type, in the order of the JWKS. */
  readonly entries: readonly KeyEntry[];
  /** How many keys the JWKS has. */
  readonly total: number;
  /** The kids of the keys that are not among the entries: JSON, one to a line. */
  readonly otherKids: string;
  /** How many keys each of the two types has, usable or not. */
  readonly counts: Readonly<Record<"RSA" | "EC", number>>;
}

/** When a document was fetched. */
export interface Fetch {
  /** Differs between two fetches, whether or not the document changed. */
  readonly fetchId: number;
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** The same moment by the monotonic clock. */
  readonly fetchedMonotonic: number;
}

export interface FetchedKeys extends Fetch {
  readonly keySet: KeySet;
}

interface ReadKeySet {
  /** Absent when there are no keys. */
  readonly keySet?: KeySet | undefined;
  readonly findings: readonly Finding[];
}

/** Reads a JWKS by STS's rules, or finds why the document is not one. */
export function readKeySet(body: Uint8Array, url: string): ReadKeySet {
  const parsed = parseBody(body);
  const marked = parsed.hasByteOrderMark ? [byteOrderMark("jwks", url)] : [];
  if (parsed.kind !== "object") return { findings: [...marked, notJson(url, parsed.kind)] };
  const keys = member(parsed.value, "keys");
  if (keys === undefined && isErrorResponse(parsed.value)) {
    return { findings: [...marked, notJson(url, "page")] };
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    return { findings: [...marked, empty(url, keys)] };
  }
  return { findings: marked, keySet: bounded((keys as unknown[]).filter(isJsonObject)) };
}

/** The maximum of kept keys of other types. STS uses none of them, and one is enough to name the fault. */
const MAX_OTHER_KEYS = 50;

/**
 * Keeps the keys that STS could use, and only the kid of all others: a document of 512 KiB can have
 * thousands of keys, and hostile tokens can name any issuer.
 */
function bounded(keys: readonly JsonObject[]): KeySet {
  const counts = { RSA: 0, EC: 0, other: 0 };
  const entries: KeyEntry[] = [];
  const otherKids: string[] = [];
  for (const jwk of keys) {
    const kty = member(jwk, "kty");
    const type = kty === "RSA" || kty === "EC" ? kty : "other";
    counts[type] += 1;
    if (counts[type] <= (type === "other" ? MAX_OTHER_KEYS : STS_MAX_KEYS_PER_TYPE)) {
      entries.push(readEntry(jwk));
    } else {
      const kid = member(jwk, "kid");
      if (typeof kid === "string") otherKids.push(JSON.stringify(kid));
    }
  }
  const { RSA, EC } = counts;
  const lines = otherKids.length === 0 ? "" : `\n${otherKids.join("\n")}\n`;
  return { entries, total: keys.length, otherKids: lines, counts: { RSA, EC } };
}

/** Whether the JWKS has a key with this kid beyond those that are kept. */
export function hasOtherKid({ otherKids }: KeySet, kid: string): boolean {
  return otherKids.includes(`\n${JSON.stringify(kid)}\n`);
}

function readEntry(jwk: JsonObject): KeyEntry {
  const kid = member(jwk, "kid");
  return {
    jwk: withoutRest(jwk),
    kid: typeof kid === "string" ? kid : undefined,
    problem: formProblem(jwk),
  };
}

/** The members of a key that the check reads or a report shows. */
const USED_MEMBERS = ["kid", "kty", "alg", "use", "crv", "n", "e", "x", "y"];

/** A copy of the used members: without the certificates above a key's own, for example. */
function withoutRest(jwk: JsonObject): JsonObject {
  const used = USED_MEMBERS.filter((name) => Object.hasOwn(jwk, name));
  const kept = used.map((name) => [name, withoutInside(jwk[name])] as const);
  const x5c = member(jwk, "x5c");
  const leaf: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  return { ...Object.fromEntries(kept), ...(typeof leaf === "string" && { x5c: [leaf] }) };
}

/** Only the type of a list or an object, which is never valid here. */
function withoutInside(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? [] : {};
}

/** Types of keys that no algorithm that STS accepts uses (IANA registry "JSON Web Key Types"). */
export const OTHER_TYPES: readonly unknown[] = ["OKP", "oct", "AKP"];

/** Names of the curve secp256k1 (RFC 8812, and an older name), which no algorithm that STS accepts uses. */
const OTHER_CURVES: readonly unknown[] = ["secp256k1", "P-256K"];

/**
 * Why STS can't use, or may be unable to use, a key of this form. Only a form that STS was observed to
 * refuse is certain (2026-09): no kid, `use: enc`, any `key_ops`, no n and e. A member in any other form
 * does not count as absent, and is never certain.
 */
function formProblem(jwk: JsonObject): KeyProblem | undefined {
  const problems = [...certainProblems(jwk), ...unusualForms(jwk)];
  return problems[0];
}

function certainProblems(jwk: JsonObject): KeyProblem[] {
  const certain = (words: string) => [{ words, isCertain: true }];
  if (member(jwk, "kid") === undefined) return certain("it has no kid");
  const kty = member(jwk, "kty");
  // STS verifies only RS256/384/512 and ES256/384/512, and no key of these types fits one of them.
  if (OTHER_TYPES.includes(kty)) return certain("it is neither an RSA nor an EC key");
  if (kty !== "RSA" && kty !== "EC") return [];
  if (member(jwk, "use") === "enc") return certain("its use is enc, not sig");
  const operations = member(jwk, "key_ops");
  if (Array.isArray(operations) && operations.length > 0) {
    return certain("it has key_ops, which STS refuses in any form");
  }
  const crv = member(jwk, "crv");
  // ES256, ES384 and ES512 are on other curves (RFC 7518, section 3.4).
  if (kty === "EC" && OTHER_CURVES.includes(crv)) {
    return certain(`it is on the curve ${String(crv)}; STS accepts ${STS_CURVES.join(", ")}`);
  }
  const parameters = kty === "RSA" ? ["n", "e"] : ["crv", "x", "y"];
  const missing = parameters.filter((name) => (member(jwk, name) ?? "") === "");
  if (missing.length === 0) return [];
  // STS was observed not to read an RSA key from a certificate. For EC keys, and for null, that is not
  // known.
  const isInDoubt = member(jwk, "x5c") !== undefined && !isAbsentOfRsa(jwk, missing);
  return [{ words: `it lacks ${missing.join(" and ")}`, isCertain: !isInDoubt }];
}

function isAbsentOfRsa(jwk: JsonObject, missing: readonly string[]): boolean {
  return member(jwk, "kty") === "RSA" && missing.every((name) => member(jwk, name) !== null);
}

function unusualForms(jwk: JsonObject): KeyProblem[] {
  const doubt = (words: string): KeyProblem => ({ words, isCertain: false });
  const problems: KeyProblem[] = [];
  const kty = member(jwk, "kty");
  if (kty !== "RSA" && kty !== "EC") problems.push(doubt(`its kty is ${shownType(kty)}`));
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

/** A key's type that is not in the IANA registry, in words that follow "is". */
function shownType(kty: unknown): string {
  if (kty === undefined) return "missing";
  return typeof kty === "string"
    ? `${JSON.stringify(kty.slice(0, 40))}, not RSA or EC`
    : kindOf(kty);
}

/** A value by its JSON type, to follow "is". */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "an object";
  return `a ${typeof value}`;
}

/** The most keys that are parsed without a pause: one takes about a millisecond. */
export const MAX_EXAMINED = 8;

/** The result of {@link problemOf} for each key: parsing a key costs more than everything else here. */
const problems = new WeakMap<JsonObject, KeyProblem | "none">();

/**
 * What is wrong with a key itself, independent of the token: its form, its parameters, or its certificate.
 * A certain problem takes precedence over an uncertain one.
 */
export function problemOf({ jwk, problem }: KeyEntry): KeyProblem | undefined {
  if (problem?.isCertain) return problem;
  const known = problems.get(jwk) ?? materialProblem(jwk) ?? "none";
  problems.set(jwk, known);
  const material = known === "none" ? undefined : known;
  return material?.isCertain ? material : (problem ?? material);
}

function materialProblem(jwk: JsonObject): KeyProblem | undefined {
  // How a lenient parser reads other values is not known; the key's form problem covers them.
  if (!isReadable(jwk)) return undefined;
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey({ key: bareKey(jwk), format: "jwk" });
    const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
    if (modulusLength === 0 || publicExponent === 0n) return noKey(jwk);
  } catch {
    return noKey(jwk);
  }
  return certificateProblem(jwk, key) ?? encodingProblem(jwk);
}

function isReadable(jwk: JsonObject): boolean {
  if (jwk.kty !== "RSA" && jwk.kty !== "EC") return false;
  const [names, hasCurve] =
    jwk.kty === "RSA"
      ? [["n", "e"], true]
      : [["x", "y"], STS_CURVES.some((curve) => curve === member(jwk, "crv"))];
  return hasCurve && names.every((name) => typeof member(jwk, name) === "string");
}

/**
 * No verifier accepts zero, or a point that is not on the curve. The problem is certain only where every
 * parser reads the same numbers: in plain base64url, and not longer than any real key.
 */
function noKey(jwk: JsonObject): KeyProblem {
  const numbers = (jwk.kty === "RSA" ? ["n", "e"] : ["x", "y"]).map((name) => member(jwk, name));
  const isPlain = numbers.every(
    (text) => typeof text === "string" && text.length <= MAX_NUMBER_LENGTH && /^[\w-]+$/.test(text),
  );
  return { words: "its parameters make no key", isCertain: isPlain };
}

function certificateProblem(
  jwk: JsonObject,
  key: ReturnType<typeof createPublicKey>,
): KeyProblem | undefined {
  const x5c = member(jwk, "x5c");
  const leaf: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof leaf !== "string") return undefined;
  try {
    const { publicKey } = new X509Certificate(Buffer.from(leaf, "base64"));
    if (publicKey.equals(key)) return undefined;
    const words = "its x5c is the certificate of another key";
    // STS was observed to refuse an RSA key whose certificate has another n (2026-09).
    const isCertain = jwk.kty === "RSA" && publicKey.asymmetricKeyType !== "rsa-pss";
    return { words, isCertain, ...(!isCertain && { confirmedBy: "verification-key" as const }) };
  } catch {
    // How STS treats an unreadable certificate is not known.
    return { words: "its x5c can't be read", isCertain: false };
  }
}

/** STS was reported once to return "could not be validated" for such a key. */
function encodingProblem(jwk: JsonObject): KeyProblem | undefined {
  const words = keyFormProblem(jwk);
  return words === undefined
    ? undefined
    : { words, isCertain: false, confirmedBy: "not-validated" };
}

function notJson(url: string, came: NoObject): Finding {
  if (came === "too-complex") return tooComplex(url);
  return {
    id: "jwks-not-json",
    // A page in place of the JWKS is mostly an outage or a login wall, which may pass; so may a cut response.
    // In text without an object or a list no parser finds keys, and STS was observed to refuse a kid that
    // is not in the JWKS (2026-09). How a lenient parser reads the other forms is not known until STS
    // reports that it does not find the key.
    severity: came === "other" ? "fatal" : "suspect",
    title: "The issuer's JWKS is not a JSON object.",
    detail: `${url} returns 200 with ${CAME_INSTEAD[came]}.`,
    remedy: "IdP: serve the JWKS itself (RFC 7517, section 5), without a login.",
    evidence: { url, isPage: came === "page", isCut: came === "cut" },
    ...((came === "lenient" || came === "list") && { confirmedBy: "verification-key" }),
  };
}

function tooComplex(url: string): Finding {
  return {
    id: "jwks-too-large",
    severity: "suspect",
    title: "The issuer's document is far too large.",
    detail: `${url} returns 200 with ${CAME_INSTEAD["too-complex"]}.`,
    remedy: "IdP: publish only the keys in use.",
    evidence: { url },
  };
}

function empty(url: string, keys: unknown): Finding {
  const what = Array.isArray(keys) ? "an empty list of keys" : "no list of keys";
  // STS was observed to refuse a token whose kid the JWKS does not have (2026-09). How it treats `keys`
  // that are not a list is not known.
  const isCertain = keys === undefined || Array.isArray(keys);
  return {
    id: "jwks-empty",
    severity: isCertain ? "fatal" : "suspect",
    title: "The issuer's JWKS has no keys.",
    detail: `${url} has ${what}.`,
    remedy: "IdP: publish the public keys that tokens are signed with.",
    evidence: { url },
    ...(!isCertain && { confirmedBy: "verification-key" }),
  };
}
