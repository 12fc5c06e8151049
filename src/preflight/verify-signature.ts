import type { CryptoKey } from "jose";
import { bareKey } from "../model/jwk.js";
import type { JsonObject } from "./json-document.js";

/** What verifying came to; `undecided` when nothing here can tell. */
export type SignatureVerdict = "valid" | "invalid" | "undecided";

/** Keys that were imported, by their JWK and algorithm: importing costs more than verifying. */
const imported = new WeakMap<JsonObject, Map<string, CryptoKey | Uint8Array>>();

/** Loaded when the first signature is due: most processes see their STS call through before. */
const loadJose = () =>
  Promise.all([import("jose/jws/compact/verify"), import("jose/key/import")] as const);
let jose: ReturnType<typeof loadJose> | undefined;

/** Verifies a compact JWS with the bare parameters of a key: policy was applied before. */
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
    // Anything else is jose's own rule (an RSA key below 2048 bits), not STS's.
    const { code } = error as { code?: unknown };
    return code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" ? "invalid" : "undecided";
  }
}
