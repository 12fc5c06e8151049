import { type Finding, firstFatal, type Severity } from "../model/findings.js";
import {
  keyAmbiguous,
  keyNotFound,
  keyUnusable,
  signatureInvalid,
  tooManyKeys,
} from "./key-findings.js";
import { type KeySet, MAX_KEYS_PER_TYPE } from "./key-set.js";
import type { Subject } from "./subject.js";
import { findTokenKey } from "./token-key.js";
import { verifySignature } from "./verify-signature.js";

interface Judged {
  readonly findings: readonly Finding[];
  /** The key that the token names and nobody publishes. */
  readonly missingKid?: string | undefined;
}

/** Whether STS can verify the token with these keys. */
export async function judgeKey(keySet: KeySet, subject: Subject): Promise<Judged> {
  const counted = (["RSA", "EC"] as const).flatMap((kty) => {
    const count = keySet.counts[kty];
    return count > MAX_KEYS_PER_TYPE ? [tooManyKeys(kty, count, weight(kty, subject))] : [];
  });
  if (subject.asksForKey === false || firstFatal(counted)) return { findings: counted };
  const { kid, alg, token } = subject;
  const key = findTokenKey(keySet, { kid, alg });
  switch (key.kind) {
    case "missing":
      return kid === undefined
        ? { findings: counted }
        : { findings: [...counted, keyNotFound(kid, kids(keySet), 1)], missingKid: kid };
    case "ambiguous":
      return { findings: [...counted, keyAmbiguous(keySet.entries.length, key.isCertain)] };
    case "unusable": {
      const severity = key.isCertain ? "fatal" : "suspect";
      return { findings: [...counted, keyUnusable(key.entry.kid, key.problem, severity)] };
    }
    case "found": {
      if (token === undefined || alg === undefined) return { findings: counted };
      const verdict = await verifySignature(token, alg, key.entry.jwk);
      const isInvalid = verdict === "invalid";
      return { findings: isInvalid ? [...counted, signatureInvalid(kid, alg)] : counted };
    }
  }
}

/** The `kid`s of a JWKS, in its order. */
export function kids({ entries }: KeySet): string[] {
  return entries.flatMap(({ kid }) => kid ?? []);
}

/** Too many keys of one type leave tokens of the other one alone. */
function weight(kty: "RSA" | "EC", { alg }: Subject): Severity {
  if (alg === undefined) return "suspect";
  return alg.startsWith("RS") === (kty === "RSA") ? "fatal" : "advice";
}
