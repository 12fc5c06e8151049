import type { Finding, Severity } from "../model/findings.js";
import { printable } from "../runtime/redact.js";
import { MAX_KEYS_PER_TYPE } from "./key-set.js";

/** STS takes no key of this type. */
export function tooManyKeys(kty: string, count: number, severity: Severity): Finding {
  return {
    id: "jwks-too-many-keys",
    severity,
    title: "The issuer publishes more keys of a type than STS takes.",
    detail: `The JWKS has ${count} ${kty} keys; STS takes none of a type with more than ${MAX_KEYS_PER_TYPE}.`,
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
    severity: isCertain ? "fatal" : "suspect",
    title: isCertain
      ? "The issuer does not publish the token's key."
      : "The issuer did not publish the token's key at the first look.",
    detail: `The token names the key ${JSON.stringify(shown)}; the JWKS has ${kids.map((each) => JSON.stringify(each)).join(", ") || "none with a kid"}${more}.`,
    remedy:
      "IdP: publish a key before signing with it, and keep it published while its tokens live. Workload: see that the token is from this issuer's current keys.",
    evidence: { kid: shown, kids, keys: known.length, looks },
  };
}

/** @param isCertain whether several keys would do; otherwise only one would */
export function keyAmbiguous(count: number, isCertain: boolean): Finding {
  return {
    id: "jwks-key-ambiguous",
    severity: isCertain ? "fatal" : "suspect",
    title: "The token does not say which of several keys it is signed with.",
    detail: `The token's header has no kid and the JWKS has ${count} keys.`,
    remedy: "IdP: put the key's `kid` into the header of every token.",
    evidence: { keys: count },
  };
}

export function keyUnusable(
  kid: string | undefined,
  problem: string,
  severity: Severity = "fatal",
): Finding {
  const shown = kid === undefined ? undefined : printable(kid, 100);
  const which = shown === undefined ? "The only key" : `The key ${JSON.stringify(shown)}`;
  return {
    id: "jwks-key-unusable",
    severity,
    title: "STS cannot use the token's key as the issuer publishes it.",
    detail: `${which} is published, but ${problem}.`,
    remedy:
      "IdP: publish the key with kty, kid, its parameters (n and e, or crv, x and y) and at most `use: sig`, without key_ops; an x5c has to be of the same key.",
    evidence: { ...(shown !== undefined && { kid: shown }), problem },
  };
}

export function signatureInvalid(kid: string | undefined, alg: string): Finding {
  const shown = kid === undefined ? undefined : printable(kid, 100);
  const which = shown === undefined ? "the only key" : `the key ${JSON.stringify(shown)}`;
  return {
    id: "signature-invalid",
    severity: "fatal",
    title: "The token's signature is not from the key it names.",
    detail: `The ${alg} signature does not verify with ${which} as the issuer publishes it.`,
    remedy:
      "IdP: give every new key a new kid. Workload: see that nothing alters the token on its way.",
    evidence: { ...(shown !== undefined && { kid: shown }), alg },
  };
}
