import type { KeyRow } from "../model/issuer-report.js";
import { printable } from "../runtime/redact.js";
import { member } from "./json-document.js";
import { problemOf } from "./key-material.js";
import type { KeyEntry, KeyProblem, KeySet } from "./key-set.js";
import type { Subject } from "./subject.js";
import { findTokenKey } from "./token-key.js";

/** More rows than anybody reads. */
const MAX_ROWS = 1_000;

/** The keys of an issuer, each judged as the token's own is, and that one marked. */
export function keyTable(keySet: KeySet, subject: Subject): KeyRow[] {
  const { kid, alg } = subject;
  const chosen = subject.asksForKey ? findTokenKey(keySet, { kid, alg }) : undefined;
  const matching = chosen !== undefined && "entry" in chosen ? chosen.entry : undefined;
  const ofToken = chosen?.kind === "unusable" ? chosen.problem : undefined;
  return keySet.entries.slice(0, MAX_ROWS).map((entry) => {
    const isMatch = entry === matching;
    return row(entry, isMatch, (isMatch ? ofToken : undefined) ?? problemOf(entry));
  });
}

function row(
  { jwk, kid }: KeyEntry,
  matchesToken: boolean,
  problem: KeyProblem | undefined,
): KeyRow {
  const text = (name: string) => {
    const value = member(jwk, name);
    return typeof value === "string" ? printable(value, 100) : undefined;
  };
  const modulus = jwk.kty === "RSA" ? member(jwk, "n") : undefined;
  return {
    kid: kid === undefined ? undefined : printable(kid, 100),
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

/** Length of a number in base64url, in bits. */
function bitsOf(number: string): number {
  const bytes = Buffer.from(number, "base64url");
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) return 0;
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] as number) + 24;
}
