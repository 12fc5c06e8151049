import type { Finding, Severity } from "../model/findings.js";
import { printable } from "../runtime/redact.js";
import { type KeyProblem, MAX_KEYS_PER_TYPE } from "./key-set.js";

/** STS takes no key of this type: observed 2026-09 with 101 RSA keys. */
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

/** @param looks how many looks that were fresh did not find it */
export function keyNotFound(kid: string, known: readonly string[], looks: number): Finding {
  const shown = printable(kid, 100);
  const kids = known.slice(0, 20).map((each) => printable(each, 100));
  const isCertain = looks >= 2;
  const more = known.length > kids.length ? ` and ${known.length - kids.length} more` : "";
  return {
    id: "jwks-key-not-found",
    // STS was observed to refuse a kid that the JWKS does not have (2026-09); a new key takes time.
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "The issuer does not publish the token's key."
      : "The issuer did not publish the token's key at the first look.",
    detail: `The token names the key ${JSON.stringify(shown)}; the JWKS has ${kids.map((each) => JSON.stringify(each)).join(", ") || "none with a kid"}${more}.`,
    remedy:
      "IdP: publish a key before signing with it, and keep it published while its tokens live. Workload: make sure that the token was signed with one of this issuer's current keys.",
    evidence: { kid: shown, kids, keys: known.length, looks },
  };
}

/** @param isCertain whether several keys would do; otherwise only one would, or nobody knows */
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
    // STS was observed to refuse a token without kid, or with an empty one, where there are several
    // keys (2026-09). What it makes of a null or a number is not known.
    severity: isCertain ? "fatal" : "suspect",
    title: "The token does not say which of several keys it is signed with.",
    detail: `The token's header ${names} and the JWKS has ${count} keys.`,
    remedy: "IdP: put the key's `kid` into the header of every token, as a string.",
    evidence: { keys: count, ...(kid !== undefined && { kid }) },
  };
}

const PUBLISH_USABLE =
  "IdP: publish the key with kty, kid, its parameters (n and e, or crv, x and y, in base64url as RFC 7518 has them) and at most `use: sig`, without key_ops; an x5c has to be of the same key.";

export function keyUnusable(kid: string | undefined, problem: KeyProblem): Finding {
  const { words, isCertain, confirmedBy } = problem;
  const shown = kid === undefined ? undefined : printable(kid, 100);
  const which = shown === undefined ? "The only key" : `The key ${JSON.stringify(shown)}`;
  return {
    id: "jwks-key-unusable",
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "STS cannot use the token's key as the issuer publishes it."
      : "STS may be unable to use the token's key as the issuer publishes it.",
    detail: `${which} is published, but ${words}.`,
    remedy: PUBLISH_USABLE,
    evidence: { ...(shown !== undefined && { kid: shown }), problem: words },
    ...(!isCertain && confirmedBy !== undefined && { confirmedBy }),
  };
}

/** @param keys all that there are, with what speaks against each */
export function noUsableKey(
  keys: readonly { readonly kid: string | undefined; readonly problem: KeyProblem }[],
): Finding {
  const told = keys.slice(0, 5).map(({ kid, problem }) => {
    const which = kid === undefined ? "one without a kid" : JSON.stringify(printable(kid, 100));
    return `${which}: ${problem.words}`;
  });
  const more = keys.length > told.length ? `; and ${keys.length - told.length} more` : "";
  return {
    id: "jwks-key-unusable",
    // Each of the problems that are certain has its source where it is found.
    severity: keys.every(({ problem }) => problem.isCertain) ? "fatal" : "suspect",
    title: "The issuer publishes no key that STS is known to use.",
    detail: `Of ${keys.length === 1 ? "the only key" : `${keys.length} keys`}, each has a problem: ${told.join("; ")}${more}.`,
    remedy: PUBLISH_USABLE,
    evidence: { keys: keys.length, problem: told[0] },
  };
}

export function signatureInvalid(kid: string | null | undefined, alg: string): Finding {
  const shown = typeof kid === "string" ? printable(kid, 100) : undefined;
  const which = shown === undefined ? "the only key" : `the key ${JSON.stringify(shown)}`;
  return {
    id: "signature-invalid",
    // STS was observed to answer "could not be validated" to a bad signature (2026).
    severity: "fatal",
    title: "The token's signature is not from the key it names.",
    detail: `The ${alg} signature does not verify with ${which} as the issuer publishes it.`,
    remedy:
      "IdP: give every new key a new kid. Workload: make sure that nothing alters the token on its way.",
    evidence: { ...(shown !== undefined && { kid: shown }), alg },
  };
}
