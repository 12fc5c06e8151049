// Which key of a JWKS STS uses for a token, whether STS can use it, whether it verifies the token's
// signature, and the findings that follow.

import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { CryptoKey } from "jose";
import { type Finding, firstFatal, type KeyRow, type Severity } from "../model/findings.js";
import { bareKey } from "../model/jwk.js";
import { STS_MAX_KEYS_PER_TYPE } from "../model/sts-limits.js";
import { type JsonObject, member, shownText } from "./json-document.js";
import {
  hasOtherKid,
  type KeyEntry,
  type KeyProblem,
  type KeySet,
  MAX_EXAMINED,
  OTHER_TYPES,
  problemOf,
} from "./key-set.js";
import type { Subject } from "./subject.js";

interface Judged {
  readonly findings: readonly Finding[];
  /** The kid that the token names and the JWKS does not have. */
  readonly missingKid?: string | undefined;
}

/** Whether STS can verify the token with these keys. */
export async function judgeKey(keySet: KeySet, subject: Subject): Promise<Judged> {
  const counted = (["RSA", "EC"] as const).flatMap((kty) => {
    const count = keySet.counts[kty];
    return count > STS_MAX_KEYS_PER_TYPE ? [tooManyKeys(kty, count, weight(kty, subject))] : [];
  });
  if (firstFatal(counted)) return { findings: counted };
  if (!subject.needsKey) return { findings: [...counted, ...withoutUsable(keySet)] };
  const { kid, alg, token } = subject;
  const key = findTokenKey(keySet, { kid, alg });
  switch (key.kind) {
    case "missing":
      return typeof kid !== "string"
        ? { findings: counted }
        : { findings: [...counted, keyNotFound(kid, kids(keySet), 1)], missingKid: kid };
    case "ambiguous":
      return { findings: [...counted, keyAmbiguous(keySet.total, kid, key.isCertain)] };
    case "unusable":
      return { findings: [...counted, keyUnusable(key.entry.kid, key.problem)] };
    case "found": {
      const { entry, doubt } = key;
      const findings = doubt ? [...counted, keyUnusable(entry.kid, doubt)] : counted;
      if (token === undefined || alg === undefined) return { findings };
      const isInvalid = await hasInvalidSignature(token, alg, entry.jwk);
      return { findings: isInvalid ? [...findings, signatureInvalid(kid, alg)] : findings };
    }
  }
}

/** Without a token: whether STS must refuse every token of this issuer, because it can use no key. */
function withoutUsable({ entries }: KeySet): Finding[] {
  const keys: { readonly kid: string | undefined; readonly problem: KeyProblem }[] = [];
  for (const entry of entries) {
    const isExamined = keys.length < MAX_EXAMINED;
    const problem = isExamined ? problemOf(entry) : entry.problem;
    if (problem === undefined) return [];
    keys.push({ kid: entry.kid, problem });
  }
  return keys.length === 0 ? [] : [noUsableKey(keys)];
}

/** The `kid`s of a JWKS, in its order. */
export function kids({ entries }: KeySet): string[] {
  return entries.flatMap(({ kid }) => (kid === undefined ? [] : [kid]));
}

/** The severity of too many keys of one type: they do not affect tokens signed with the other type. */
function weight(kty: "RSA" | "EC", { alg }: Subject): Severity {
  if (alg === undefined) return "suspect";
  return alg.startsWith("RS") === (kty === "RSA") ? "fatal" : "advice";
}

/** Whether and with which key STS would verify a token. */
export type TokenKey =
  /** `doubt`: a reason why STS may still be unable to use the key. */
  | { readonly kind: "found"; readonly entry: KeyEntry; readonly doubt?: KeyProblem | undefined }
  | { readonly kind: "unusable"; readonly entry: KeyEntry; readonly problem: KeyProblem }
  /** `isCertain`: the observed rules, however they are read, choose no key. */
  | { readonly kind: "ambiguous"; readonly isCertain: boolean }
  | { readonly kind: "missing" };

/** The parts of a token's header that choose the key. */
export interface WantedKey {
  /**
   * `undefined` when the header has no kid, null when its kid is not a string. The empty string is a valid
   * kid.
   */
  readonly kid: string | null | undefined;
  /** `undefined` when there is no token: a key of any type then fits. */
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
 * An empty `kid` matches an equal one, but fails among several keys when none of them has it.
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
  // It is not known whether STS counts keys that it can't use for this token, nor how it reads a kid
  // that is not a string. The finding is certain if several keys are sound, or if none is usable.
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
  // It is not known whether an unusable key hides an earlier usable one with the same kid.
  const isAlone =
    candidates.length <= MAX_EXAMINED &&
    candidates.every((each) => each === entry || problemOf(each) !== undefined);
  return { kind: "unusable", entry, problem: { ...problem, isCertain: isAlone } };
}

/** Why a key can't verify signatures of this algorithm. */
function misfit({ jwk }: KeyEntry, alg: string | undefined): KeyProblem | undefined {
  if (alg === undefined) return undefined;
  const kty = alg.startsWith("RS") ? "RSA" : "EC";
  if (jwk.kty !== kty) {
    const words = `it is of type ${typeof jwk.kty === "string" ? jwk.kty.slice(0, 40) : "unknown"} and the token is signed with ${alg}`;
    // STS may read an unregistered type as the right one.
    return { words, isCertain: ["RSA", "EC", ...OTHER_TYPES].includes(jwk.kty) };
  }
  const curve = CURVES[alg];
  // An unknown curve name may mean the right curve.
  const isFit = kty === "RSA" || jwk.crv === curve || !Object.values(CURVES).includes(`${jwk.crv}`);
  return isFit
    ? undefined
    : { words: `it is not on the curve ${curve}, which ${alg} requires`, isCertain: true };
}

/** Imported keys by JWK and algorithm: importing a key costs more than verifying with it. */
const imported = new WeakMap<JsonObject, Map<string, CryptoKey | Uint8Array>>();

/** Loaded for the first signature: most processes finish their STS call without it. */
const loadJose = () =>
  Promise.all([import("jose/jws/compact/verify"), import("jose/key/import")] as const);
let jose: ReturnType<typeof loadJose> | undefined;

/**
 * Whether the signature of a compact JWS is wrong, by the bare parameters of a key: the caller has applied
 * STS's rules. False also when this process can't decide.
 */
async function hasInvalidSignature(token: string, alg: string, jwk: JsonObject): Promise<boolean> {
  jose ??= loadJose();
  const [{ compactVerify }, { importJWK }] = await jose;
  try {
    const keys = imported.get(jwk) ?? new Map<string, CryptoKey | Uint8Array>();
    const key = keys.get(alg) ?? (await importJWK({ ...bareKey(jwk) } as { kty: string }, alg));
    imported.set(jwk, keys.set(alg, key));
    await compactVerify(token, key, { algorithms: [alg] });
    return false;
  } catch (error) {
    // Other codes are jose's own rules, such as 2048 bits for RSA, which STS does not have.
    const { code } = error as { code?: unknown };
    return code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
  }
}

/** Above the limit, STS uses no key of the type: observed 2026-09 with 101 RSA keys. */
export function tooManyKeys(kty: string, count: number, severity: Severity): Finding {
  return {
    id: "jwks-too-many-keys",
    severity,
    title: "The issuer publishes more keys of one type than STS accepts.",
    detail: `The JWKS has ${count} ${kty} keys; STS accepts none of a type that has more than ${STS_MAX_KEYS_PER_TYPE}.`,
    remedy: `IdP: publish at most ${STS_MAX_KEYS_PER_TYPE} ${kty} keys, those in use.`,
    evidence: { keyType: kty, count, maximum: STS_MAX_KEYS_PER_TYPE },
  };
}

/** @param fetches - the number of fresh fetches of the JWKS that did not have the key. */
export function keyNotFound(kid: string, known: readonly string[], fetches: number): Finding {
  const shown = shownText(kid, 100);
  const kids = known.slice(0, 20).map((each) => shownText(each, 100));
  const isCertain = fetches >= 2;
  const more = known.length > kids.length ? ` and ${known.length - kids.length} more` : "";
  return {
    id: "jwks-key-not-found",
    // STS was observed to refuse a kid that the JWKS does not have (2026-09). After the first fetch a
    // rotation may still be spreading.
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "The issuer does not publish the token's key."
      : "The issuer's JWKS does not have the token's key; a second fetch decides.",
    detail: `The token names the key ${JSON.stringify(shown)}; the JWKS has ${kids.map((each) => JSON.stringify(each)).join(", ") || "none with a kid"}${more}.`,
    remedy:
      "IdP: publish a key before signing with it, and keep it published until its tokens have expired. Workload: make sure that the token was signed with one of this issuer's current keys.",
    evidence: { kid: shown, kids, keys: known.length, fetches },
  };
}

/** @param isCertain - whether the observed rules, however they are read, choose none of the keys. */
export function keyAmbiguous(
  count: number,
  kid: string | null | undefined,
  isCertain: boolean,
): Finding {
  const names = {
    undefined: "has no kid",
    null: "has a kid that is not a string",
    string: "has an empty kid, which no key has,",
  }[kid === null ? "null" : (typeof kid as "string" | "undefined")];
  return {
    id: "jwks-key-ambiguous",
    // STS was observed to refuse a token with no kid, or an empty one, when there are several keys
    // (2026-09). How it treats null or a number is not known.
    severity: isCertain ? "fatal" : "suspect",
    title: "The token does not name which of several keys signed it.",
    detail: `The token's header ${names} and the JWKS has ${count} keys.`,
    remedy: "IdP: put the key's `kid` into the header of every token, as a string.",
    evidence: { keys: count, ...(kid !== undefined && { kid }) },
  };
}

const PUBLISH_USABLE =
  "IdP: publish the key with kty, kid, its parameters (n and e, or crv, x and y, in base64url as RFC 7518 requires) and at most `use: sig`, without key_ops. If it has an x5c, its first certificate must contain the same key.";

export function keyUnusable(kid: string | undefined, problem: KeyProblem): Finding {
  const { words, isCertain, confirmedBy } = problem;
  const shown = kid === undefined ? undefined : shownText(kid, 100);
  const which = shown === undefined ? "The only key" : `The key ${JSON.stringify(shown)}`;
  return {
    id: "jwks-key-unusable",
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "STS can't use the token's key in the form that the issuer publishes."
      : "STS may be unable to use the token's key in the form that the issuer publishes.",
    detail: `${which} is published, but ${words}.`,
    remedy: PUBLISH_USABLE,
    evidence: { ...(shown !== undefined && { kid: shown }), problem: words },
    ...(!isCertain && confirmedBy !== undefined && { confirmedBy }),
  };
}

/** @param keys - all keys of the JWKS, each with its problem. */
function noUsableKey(
  keys: readonly { readonly kid: string | undefined; readonly problem: KeyProblem }[],
): Finding {
  const shown = keys.slice(0, 5).map(({ kid, problem }) => {
    const which = kid === undefined ? "one without a kid" : JSON.stringify(shownText(kid, 100));
    return `${which}: ${problem.words}`;
  });
  const more = keys.length > shown.length ? `; and ${keys.length - shown.length} more` : "";
  return {
    id: "jwks-key-unusable",
    // `key-set.ts` states the source of each certain problem.
    severity: keys.every(({ problem }) => problem.isCertain) ? "fatal" : "suspect",
    title: "The issuer publishes no key that STS is known to accept.",
    detail: `${keys.length === 1 ? "The only key has" : `Each of the ${keys.length} keys has`} a problem: ${shown.join("; ")}${more}.`,
    remedy: PUBLISH_USABLE,
    evidence: { keys: keys.length, problem: shown[0] },
  };
}

export function signatureInvalid(kid: string | null | undefined, alg: string): Finding {
  const shown = typeof kid === "string" ? shownText(kid, 100) : undefined;
  const which = shown === undefined ? "the only key" : `the key ${JSON.stringify(shown)}`;
  return {
    id: "signature-invalid",
    // STS was observed to return "could not be validated" for a bad signature (2026).
    severity: "fatal",
    title: "The token's signature does not match the key that the token names.",
    detail: `The ${alg} signature does not verify with ${which} as the issuer publishes it.`,
    remedy:
      "IdP: give every new key a new kid. Workload: make sure that nothing changes the token on its way to STS.",
    evidence: { ...(shown !== undefined && { kid: shown }), alg },
  };
}

const MAX_ROWS = 1_000;

/** The issuer's keys, each with its problem; the token's key is marked. */
export async function keyTable(keySet: KeySet, subject: Subject): Promise<KeyRow[]> {
  const { kid, alg } = subject;
  const chosen = subject.needsKey ? findTokenKey(keySet, { kid, alg }) : undefined;
  const matching = chosen !== undefined && "entry" in chosen ? chosen.entry : undefined;
  const ofToken = chosen?.kind === "unusable" ? chosen.problem : undefined;
  const rows: KeyRow[] = [];
  for (const [index, entry] of keySet.entries.slice(0, MAX_ROWS).entries()) {
    if (index > 0 && index % MAX_EXAMINED === 0) await yieldToEventLoop();
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

/** The length of a base64url number, in bits. */
function bitsOf(number: string): number {
  const bytes = Buffer.from(number, "base64url");
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) return 0;
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] as number) + 24;
}
