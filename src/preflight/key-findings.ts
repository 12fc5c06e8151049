import { type Finding, firstFatal, type Severity } from "../model/findings.js";
import { shownText } from "./json-document.js";
import { type KeyProblem, type KeySet, MAX_KEYS_PER_TYPE } from "./key-set.js";
import type { Subject } from "./subject.js";
import { findTokenKey, MAX_EXAMINED, problemOf, verifySignature } from "./token-key.js";

// What the keys of an issuer mean for one token, as findings.

interface Judged {
  readonly findings: readonly Finding[];
  /** The kid that the token names and the JWKS does not have. */
  readonly missingKid?: string | undefined;
}

/** Whether STS can verify the token with these keys. */
export async function judgeKey(keySet: KeySet, subject: Subject): Promise<Judged> {
  const counted = (["RSA", "EC"] as const).flatMap((kty) => {
    const count = keySet.counts[kty];
    return count > MAX_KEYS_PER_TYPE ? [tooManyKeys(kty, count, weight(kty, subject))] : [];
  });
  if (firstFatal(counted)) return { findings: counted };
  if (!subject.asksForKey) return { findings: [...counted, ...withoutUsable(keySet)] };
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
      const verdict = await verifySignature(token, alg, entry.jwk);
      return {
        findings: verdict === "invalid" ? [...findings, signatureInvalid(kid, alg)] : findings,
      };
    }
  }
}

/** Without a token: what makes STS refuse every token of this issuer. */
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

/** Too many keys of one type do not affect tokens that are signed with the other type. */
function weight(kty: "RSA" | "EC", { alg }: Subject): Severity {
  if (alg === undefined) return "suspect";
  return alg.startsWith("RS") === (kty === "RSA") ? "fatal" : "advice";
}

/** STS then uses no key of this type: observed 2026-09 with 101 RSA keys. */
export function tooManyKeys(kty: string, count: number, severity: Severity): Finding {
  return {
    id: "jwks-too-many-keys",
    severity,
    title: "The issuer publishes more keys of one type than STS accepts.",
    detail: `The JWKS has ${count} ${kty} keys; STS accepts none of a type that has more than ${MAX_KEYS_PER_TYPE}.`,
    remedy: `IdP: publish at most ${MAX_KEYS_PER_TYPE} ${kty} keys, those in use.`,
    evidence: { keyType: kty, count, maximum: MAX_KEYS_PER_TYPE },
  };
}

/** @param fetches - how many fresh fetches of the JWKS did not have the key */
export function keyNotFound(kid: string, known: readonly string[], fetches: number): Finding {
  const shown = shownText(kid, 100);
  const kids = known.slice(0, 20).map((each) => shownText(each, 100));
  const isCertain = fetches >= 2;
  const more = known.length > kids.length ? ` and ${known.length - kids.length} more` : "";
  return {
    id: "jwks-key-not-found",
    // STS was observed to refuse a kid that the JWKS does not have (2026-09). After the first fetch the
    // key may still be on its way: a rotation takes time to spread.
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "The issuer does not publish the token's key."
      : "The issuer's JWKS does not have the token's key; a second fetch decides.",
    detail: `The token names the key ${JSON.stringify(shown)}; the JWKS has ${kids.map((each) => JSON.stringify(each)).join(", ") || "none with a kid"}${more}.`,
    remedy:
      "IdP: publish a key before signing with it, and keep it published while its tokens live. Workload: make sure that the token was signed with one of this issuer's current keys.",
    evidence: { kid: shown, kids, keys: known.length, fetches },
  };
}

/** @param isCertain - whether no reading of the observed rules chooses one of the keys */
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
      ? "STS cannot use the token's key in the form that the issuer publishes."
      : "STS may be unable to use the token's key in the form that the issuer publishes.",
    detail: `${which} is published, but ${words}.`,
    remedy: PUBLISH_USABLE,
    evidence: { ...(shown !== undefined && { kid: shown }), problem: words },
    ...(!isCertain && confirmedBy !== undefined && { confirmedBy }),
  };
}

/** @param keys - all keys of the JWKS, each with its problem */
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
    // The source of each certain problem stands where the problem is found.
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
    // STS was observed to answer "could not be validated" to a bad signature (2026).
    severity: "fatal",
    title: "The token's signature does not match the key that the token names.",
    detail: `The ${alg} signature does not verify with ${which} as the issuer publishes it.`,
    remedy:
      "IdP: give every new key a new kid. Workload: make sure that nothing changes the token on its way to STS.",
    evidence: { ...(shown !== undefined && { kid: shown }), alg },
  };
}
