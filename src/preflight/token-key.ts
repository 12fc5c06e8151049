import { member } from "./json-document.js";
import { problemOf } from "./key-material.js";
import { hasOtherKid, type KeyEntry, type KeyProblem, type KeySet } from "./key-set.js";

/** Whether and with which key STS would verify a token. */
export type TokenKey =
  /** `doubt`: what may keep STS from using it all the same. */
  | { readonly kind: "found"; readonly entry: KeyEntry; readonly doubt?: KeyProblem | undefined }
  | { readonly kind: "unusable"; readonly entry: KeyEntry; readonly problem: KeyProblem }
  /** `isCertain`: no reading of the observed rules chooses one. */
  | { readonly kind: "ambiguous"; readonly isCertain: boolean }
  | { readonly kind: "missing" };

/** What of a token's header chooses the key. */
export interface KeyWanted {
  /** Absent when the header has none; the empty string is a kid; null stands for what is no string. */
  readonly kid: string | null | undefined;
  /** Absent when there is no token: then any type of key will do. */
  readonly alg: string | undefined;
}

/** RFC 7518, section 3.4. */
const CURVES: Readonly<Record<string, string>> = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
};

/**
 * Finds a token's key as STS was observed to (2026-09): by `kid` alone, the last of several with the
 * same one, the only key where the token names none; `alg` of the key does not count. An empty `kid`
 * is one like any other, but fails among several keys where none has it.
 */
export function findTokenKey(keySet: KeySet, wanted: KeyWanted): TokenKey {
  const { entries } = keySet;
  const { kid, alg } = wanted;
  const named = typeof kid === "string" ? entries.filter((entry) => entry.kid === kid) : [];
  const last = named.at(-1);
  if (last !== undefined) return judge(last, alg, named);
  if (typeof kid === "string" && hasOtherKid(keySet, kid)) {
    return { kind: "unusable", entry: { jwk: { kid }, kid, problem: UNREAD }, problem: UNREAD };
  }
  if (!kid) return findOnlyKey(entries, wanted);
  const alike = entries.findLast(({ jwk }) => isAlike(member(jwk, "kid"), kid));
  if (alike !== undefined) return judge(alike, alg, [alike]);
  const [only] = entries;
  // The one key there is has no kid: it is this token's, and STS does not find it.
  return entries.length === 1 && only !== undefined && only.kid === undefined
    ? judge(only, alg, [only])
    : { kind: "missing" };
}

const UNREAD: KeyProblem = {
  words: "it stands behind more keys than are read here",
  isCertain: false,
};

/** Whether a `kid` that is no string is written like this one: STS may take the two for one. */
function isAlike(published: unknown, kid: string): boolean {
  const isScalar = published === null || ["number", "boolean"].includes(typeof published);
  return isScalar && String(published) === kid;
}

function findOnlyKey(entries: readonly KeyEntry[], { kid, alg }: KeyWanted): TokenKey {
  const [only, ...more] = entries;
  if (only === undefined) return { kind: "missing" };
  if (more.length === 0) return judge(only, alg, entries);
  // Whether STS counts keys that it cannot use is not known, nor what it makes of a null or a number.
  const usable = entries.filter((entry) => problemOf(entry) === undefined);
  return { kind: "ambiguous", isCertain: usable.length !== 1 && kid !== null };
}

function judge(
  entry: KeyEntry,
  alg: string | undefined,
  candidates: readonly KeyEntry[],
): TokenKey {
  const own = problemOf(entry);
  const problem = own?.isCertain ? own : (unfit(entry, alg) ?? own);
  if (problem === undefined) return { kind: "found", entry };
  // Whether an unusable duplicate hides a usable one before it is not known.
  const isAlone = candidates.every((each) => each === entry || problemOf(each) !== undefined);
  if (!problem.isCertain) return { kind: "found", entry, doubt: problem };
  return { kind: "unusable", entry, problem: { ...problem, isCertain: isAlone } };
}

function unfit({ jwk }: KeyEntry, alg: string | undefined): KeyProblem | undefined {
  if (alg === undefined) return undefined;
  const kty = alg.startsWith("RS") ? "RSA" : "EC";
  if (jwk.kty !== kty) {
    const words = `it is of type ${String(jwk.kty)} and the token is signed with ${alg}`;
    return { words, isCertain: true };
  }
  const curve = CURVES[alg];
  // A curve by a name of its own may be the right one.
  const isFit = kty === "RSA" || jwk.crv === curve || !Object.values(CURVES).includes(`${jwk.crv}`);
  return isFit
    ? undefined
    : { words: `it is not on the curve ${curve} that ${alg} takes`, isCertain: true };
}
