import { type Finding, firstFatal, type Severity } from "../model/findings.js";
import {
  keyAmbiguous,
  keyNotFound,
  keyUnusable,
  noUsableKey,
  signatureInvalid,
  tooManyKeys,
} from "./key-findings.js";
import { problemOf } from "./key-material.js";
import { type KeyProblem, type KeySet, MAX_KEYS_PER_TYPE } from "./key-set.js";
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

/** Without a token to compare: what no token of this issuer gets over. */
function withoutUsable({ entries }: KeySet): Finding[] {
  const problems = entries.flatMap((entry) => problemOf(entry) ?? []);
  return problems.length < entries.length || entries.length === 0
    ? []
    : [
        noUsableKey(
          entries.map(({ kid }, index) => ({ kid, problem: problems[index] as KeyProblem })),
        ),
      ];
}

/** The `kid`s of a JWKS, in its order. */
export function kids({ entries }: KeySet): string[] {
  return entries.flatMap(({ kid }) => (kid === undefined ? [] : [kid]));
}

/** Too many keys of one type leave tokens of the other one alone. */
function weight(kty: "RSA" | "EC", { alg }: Subject): Severity {
  if (alg === undefined) return "suspect";
  return alg.startsWith("RS") === (kty === "RSA") ? "fatal" : "advice";
}
