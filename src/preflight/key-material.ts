import { createPublicKey, X509Certificate } from "node:crypto";
import { bareKey, keyFormProblem, STS_CURVES } from "../model/jwk.js";
import { type JsonObject, member } from "./json-document.js";
import type { KeyEntry, KeyProblem } from "./key-set.js";

const kept = new WeakMap<JsonObject, KeyProblem | "none">();

/**
 * What speaks against a key by itself, whatever the token: its form, its parameters, and the
 * certificate that stands with them. What is certain comes before what is not.
 */
export function problemOf({ jwk, problem }: KeyEntry): KeyProblem | undefined {
  if (problem?.isCertain) return problem;
  const known = kept.get(jwk) ?? materialProblem(jwk) ?? "none";
  kept.set(jwk, known);
  const material = known === "none" ? undefined : known;
  return material?.isCertain ? material : (problem ?? material);
}

function materialProblem(jwk: JsonObject): KeyProblem | undefined {
  // What a lenient parser makes of other values is not known; the form has told of them.
  if (!isReadable(jwk)) return undefined;
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey({ key: bareKey(jwk), format: "jwk" });
    const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
    if (modulusLength === 0 || publicExponent === 0n) return NO_KEY;
  } catch {
    return NO_KEY;
  }
  return certificateProblem(jwk, key) ?? encodingProblem(jwk);
}

function isReadable(jwk: JsonObject): boolean {
  const [names, hasCurve] =
    jwk.kty === "RSA"
      ? [["n", "e"], true]
      : [["x", "y"], STS_CURVES.some((curve) => curve === member(jwk, "crv"))];
  return hasCurve && names.every((name) => typeof member(jwk, name) === "string");
}

/** No verifier makes a key of them, however lenient. */
const NO_KEY: KeyProblem = { words: "its parameters make no key", isCertain: true };

function certificateProblem(
  jwk: JsonObject,
  key: ReturnType<typeof createPublicKey>,
): KeyProblem | undefined {
  const x5c = member(jwk, "x5c");
  const leaf: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof leaf !== "string") return undefined;
  try {
    const certificate = new X509Certificate(Buffer.from(leaf, "base64"));
    if (certificate.publicKey.equals(key)) return undefined;
    // STS was observed to refuse such a key (2026-09).
    return { words: "its x5c is the certificate of another key", isCertain: true };
  } catch {
    // What STS makes of a certificate that nobody can read is not known.
    return { words: "its x5c cannot be read", isCertain: false };
  }
}

/** STS was reported once to answer "could not be validated" to such a key. */
function encodingProblem(jwk: JsonObject): KeyProblem | undefined {
  const words = keyFormProblem(jwk);
  return words === undefined
    ? undefined
    : { words, isCertain: false, confirmedBy: "not-validated" };
}
