import { isLoadable } from "./key-material.js";
import type { KeyEntry, KeySet } from "./key-set.js";

/** Whether and with which key STS would verify a token. */
export type TokenKey =
  | { readonly kind: "found"; readonly entry: KeyEntry }
  /** `isCertain`: no reading of the observed rules makes it usable. */
  | {
      readonly kind: "unusable";
      readonly entry: KeyEntry;
      readonly problem: string;
      readonly isCertain: boolean;
    }
  | { readonly kind: "ambiguous"; readonly isCertain: boolean }
  | { readonly kind: "missing" };

/** What of a token's header chooses the key. */
export interface KeyWanted {
  /** Absent when the header has none, or an empty one. */
  readonly kid: string | undefined;
  /** Absent when there is no token: then any type of key will do. */
  readonly alg: string | undefined;
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
};

/**
 * Finds a token's key as STS was observed to (2026-09): by `kid` alone, the last of several with the
 * same one, the only key where the token names none; `alg` of the key does not count.
 */
export function findTokenKey({ entries }: KeySet, wanted: KeyWanted): TokenKey {
  if (wanted.kid === undefined) return findOnlyKey(entries, wanted.alg);
  const named = entries.filter(({ kid }) => kid === wanted.kid);
  const last = named.at(-1);
  if (last !== undefined) return judge(last, wanted.alg, named);
  const [only] = entries;
  // The one key there is has no kid: it is this token's, and STS does not find it.
  return entries.length === 1 && only?.kid === undefined && only !== undefined
    ? { kind: "unusable", entry: only, problem: "it has no kid", isCertain: true }
    : { kind: "missing" };
}

function findOnlyKey(entries: readonly KeyEntry[], alg: string | undefined): TokenKey {
  const [only, ...more] = entries;
  if (only === undefined) return { kind: "missing" };
  if (more.length === 0) return judge(only, alg, entries);
  // Whether STS counts keys that it cannot use is not known.
  const usable = entries.filter(({ problem }) => problem === undefined);
  return { kind: "ambiguous", isCertain: usable.length !== 1 };
}

function judge(
  entry: KeyEntry,
  alg: string | undefined,
  candidates: readonly KeyEntry[],
): TokenKey {
  const unfitting = entry.problem ?? unfit(entry, alg);
  const loadable = unfitting === undefined ? isLoadable(entry.jwk) : undefined;
  if (loadable === true) return { kind: "found", entry };
  // Whether an unusable duplicate hides a usable one before it is not known.
  const isAlone = candidates.every((each) => each === entry || each.problem !== undefined);
  const { problem, isCertain } = loadable ?? { problem: unfitting as string, isCertain: true };
  return { kind: "unusable", entry, problem, isCertain: isCertain && isAlone };
}

function unfit({ jwk }: KeyEntry, alg: string | undefined): string | undefined {
  if (alg === undefined) return undefined;
  const kty = alg.startsWith("RS") ? "RSA" : "EC";
  if (jwk.kty !== kty)
    return `it is of type ${String(jwk.kty)} and the token is signed with ${alg}`;
  const curve = CURVES[alg];
  const isFit = kty === "RSA" || jwk.crv === curve;
  return isFit ? undefined : `it is not on the curve ${curve} that ${alg} takes`;
}
