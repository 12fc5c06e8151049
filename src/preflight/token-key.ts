import { createPublicKey, X509Certificate } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CryptoKey } from "jose";
import type { KeyRow } from "../model/issuer-report.js";
import { bareKey, keyFormProblem, MAX_NUMBER_LENGTH, STS_CURVES } from "../model/jwk.js";
import { type JsonObject, member, shownText } from "./json-document.js";
import {
  hasOtherKid,
  type KeyEntry,
  type KeyProblem,
  type KeySet,
  OTHER_TYPES,
} from "./key-set.js";
import type { Subject } from "./subject.js";

// Which key of a JWKS STS uses for a token, whether STS can use it, and whether it verifies the
// token's signature.

/** Whether and with which key STS would verify a token. */
export type TokenKey =
  /** `doubt`: a reason why STS may still be unable to use the key. */
  | { readonly kind: "found"; readonly entry: KeyEntry; readonly doubt?: KeyProblem | undefined }
  | { readonly kind: "unusable"; readonly entry: KeyEntry; readonly problem: KeyProblem }
  /** `isCertain`: no reading of the observed rules chooses a key. */
  | { readonly kind: "ambiguous"; readonly isCertain: boolean }
  | { readonly kind: "missing" };

/** The parts of a token's header that choose the key. */
export interface WantedKey {
  /**
   * `undefined` when the header has no kid, null when its kid is not a string. The empty string is a
   * kid like any other.
   */
  readonly kid: string | null | undefined;
  /** `undefined` when there is no token: any type of key then fits. */
  readonly alg: string | undefined;
}

/** RFC 7518, section 3.4. */
const CURVES: Readonly<Record<string, string>> = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
};

/**
 * Finds a token's key the way STS was observed to (2026-09): by `kid` alone; among several keys with
 * that kid, the last one; for a token without kid, the only key. The key's own `alg` does not count.
 * An empty `kid` matches like any other, but fails among several keys when none of them has it.
 */
export function findTokenKey(keySet: KeySet, wanted: WantedKey): TokenKey {
  const { entries } = keySet;
  const { kid, alg } = wanted;
  const named = typeof kid === "string" ? entries.filter((entry) => entry.kid === kid) : [];
  const last = named.at(-1);
  if (last !== undefined) return judgeEntry(last, alg, named);
  if (typeof kid === "string" && hasOtherKid(keySet, kid)) {
    return { kind: "unusable", entry: { jwk: { kid }, kid, problem: UNREAD }, problem: UNREAD };
  }
  if (!kid) return findOnlyKey(entries, wanted);
  const alike = entries.findLast(({ jwk }) => isAlike(member(jwk, "kid"), kid));
  if (alike !== undefined) return judgeEntry(alike, alg, [alike]);
  const [only] = entries;
  // The only key has no kid: it is the token's key, and STS does not find it.
  return entries.length === 1 && only !== undefined && only.kid === undefined
    ? judgeEntry(only, alg, [only])
    : { kind: "missing" };
}

/** To make a key of its parameters takes about a millisecond: no more are made without a pause. */
export const MAX_EXAMINED = 8;

const UNREAD: KeyProblem = {
  words: "it comes after more keys than this library reads",
  isCertain: false,
};

/** Whether a `kid` that is not a string has the same text: STS may treat the two as equal. */
function isAlike(published: unknown, kid: string): boolean {
  const isScalar = published === null || ["number", "boolean"].includes(typeof published);
  return isScalar && String(published) === kid;
}

function findOnlyKey(entries: readonly KeyEntry[], { kid, alg }: WantedKey): TokenKey {
  const [only, ...more] = entries;
  if (only === undefined) return { kind: "missing" };
  if (more.length === 0) return judgeEntry(only, alg, entries);
  // It is not known whether STS counts keys that it cannot use for this token, nor how it reads a kid
  // that is not a string. Certain are several sound keys, and none that could be used.
  const examined = entries.slice(0, MAX_EXAMINED);
  const problems = examined.map((entry) => problemOf(entry) ?? misfit(entry, alg));
  const sound = problems.filter((problem) => problem === undefined).length;
  const isNoneUsable =
    examined.length === entries.length && problems.every((problem) => problem?.isCertain === true);
  return { kind: "ambiguous", isCertain: (sound > 1 || isNoneUsable) && kid !== null };
}

function judgeEntry(
  entry: KeyEntry,
  alg: string | undefined,
  candidates: readonly KeyEntry[],
): TokenKey {
  const own = problemOf(entry);
  const problem = own?.isCertain ? own : (misfit(entry, alg) ?? own);
  if (problem === undefined) return { kind: "found", entry };
  if (!problem.isCertain) return { kind: "found", entry, doubt: problem };
  // It is not known whether an unusable key hides a usable one with the same kid before it.
  const isAlone =
    candidates.length <= MAX_EXAMINED &&
    candidates.every((each) => each === entry || problemOf(each) !== undefined);
  return { kind: "unusable", entry, problem: { ...problem, isCertain: isAlone } };
}

/** Why a key cannot verify signatures of this algorithm. */
function misfit({ jwk }: KeyEntry, alg: string | undefined): KeyProblem | undefined {
  if (alg === undefined) return undefined;
  const kty = alg.startsWith("RS") ? "RSA" : "EC";
  if (jwk.kty !== kty) {
    const words = `it is of type ${typeof jwk.kty === "string" ? jwk.kty.slice(0, 40) : "unknown"} and the token is signed with ${alg}`;
    // STS may read an unregistered type as the right one.
    return { words, isCertain: ["RSA", "EC", ...OTHER_TYPES].includes(jwk.kty) };
  }
  const curve = CURVES[alg];
  // A curve with an unknown name may be the right one.
  const isFit = kty === "RSA" || jwk.crv === curve || !Object.values(CURVES).includes(`${jwk.crv}`);
  return isFit
    ? undefined
    : { words: `it is not on the curve ${curve}, which ${alg} requires`, isCertain: true };
}

/** The result of {@link problemOf} for each key: parsing a key costs more than everything else here. */
const problems = new WeakMap<JsonObject, KeyProblem | "none">();

/**
 * What is wrong with a key itself, whatever the token: its form, its parameters, or its certificate.
 * A certain problem goes before an uncertain one.
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
 * No verifier makes a key of zero, or of a point that is not on the curve. It is certain only where
 * every parser reads the same numbers: in plain base64url, and not longer than any real key.
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
    return { words: "its x5c cannot be read", isCertain: false };
  }
}

/** STS was reported once to answer "could not be validated" for such a key. */
function encodingProblem(jwk: JsonObject): KeyProblem | undefined {
  const words = keyFormProblem(jwk);
  return words === undefined
    ? undefined
    : { words, isCertain: false, confirmedBy: "not-validated" };
}

/** The result of a verification; `undecided` when this process cannot decide. */
export type SignatureVerdict = "valid" | "invalid" | "undecided";

/** Imported keys by JWK and algorithm: importing a key costs more than verifying with it. */
const imported = new WeakMap<JsonObject, Map<string, CryptoKey | Uint8Array>>();

/** Loaded for the first signature: most processes finish their STS call before they need it. */
const loadJose = () =>
  Promise.all([import("jose/jws/compact/verify"), import("jose/key/import")] as const);
let jose: ReturnType<typeof loadJose> | undefined;

/** Verifies a compact JWS with the bare parameters of a key: the caller has applied STS's rules. */
export async function verifySignature(
  token: string,
  alg: string,
  jwk: JsonObject,
): Promise<SignatureVerdict> {
  jose ??= loadJose();
  const [{ compactVerify }, { importJWK }] = await jose;
  try {
    const keys = imported.get(jwk) ?? new Map<string, CryptoKey | Uint8Array>();
    const key = keys.get(alg) ?? (await importJWK({ ...bareKey(jwk) } as { kty: string }, alg));
    imported.set(jwk, keys.set(alg, key));
    await compactVerify(token, key, { algorithms: [alg] });
    return "valid";
  } catch (error) {
    // Other codes are jose's own rules, such as 2048 bits for RSA, which STS does not have.
    const { code } = error as { code?: unknown };
    return code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" ? "invalid" : "undecided";
  }
}

const MAX_ROWS = 1_000;

/** The issuer's keys, each with its problem; the token's key is marked. */
export async function keyTable(keySet: KeySet, subject: Subject): Promise<KeyRow[]> {
  const { kid, alg } = subject;
  const chosen = subject.asksForKey ? findTokenKey(keySet, { kid, alg }) : undefined;
  const matching = chosen !== undefined && "entry" in chosen ? chosen.entry : undefined;
  const ofToken = chosen?.kind === "unusable" ? chosen.problem : undefined;
  const rows: KeyRow[] = [];
  for (const [index, entry] of keySet.entries.slice(0, MAX_ROWS).entries()) {
    if (index > 0 && index % MAX_EXAMINED === 0) await nextTurn();
    const isMatch = entry === matching;
    rows.push(row(entry, isMatch, (isMatch ? ofToken : undefined) ?? problemOf(entry)));
  }
  return rows;
}

function row(
  { jwk, kid }: KeyEntry,
  matchesToken: boolean,
  problem: KeyProblem | undefined,
): KeyRow {
  const text = (name: string) => {
    const value = member(jwk, name);
    return typeof value === "string" ? shownText(value, 100) : undefined;
  };
  const modulus = jwk.kty === "RSA" ? member(jwk, "n") : undefined;
  return {
    kid: kid === undefined ? undefined : shownText(kid, 100),
    kty: text("kty"),
    alg: text("alg"),
    use: text("use"),
    crv: text("crv"),
    bits: typeof modulus === "string" ? bitsOf(modulus) : undefined,
    usable: problem === undefined,
    problem: problem?.words,
    severity: problem && (problem.isCertain ? "fatal" : "suspect"),
    matchesToken,
  };
}

/** Length of a base64url number, in bits. */
function bitsOf(number: string): number {
  const bytes = Buffer.from(number, "base64url");
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) return 0;
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] as number) + 24;
}
