import { createHash } from "node:crypto";
import type { TokenFacts } from "../model/attempt.js";
import type { DecodedToken } from "../model/jwt.js";
import { safeText } from "../runtime/redact.js";

const MAX_AUDIENCES = 10;
const MAX_CLAIM_LENGTH = 200;

/** What may be told of a token: facts that find its issuer and key, never the token or its subject. */
export function tokenFacts({ header, claims }: DecodedToken): TokenFacts {
  return {
    issuer: shown(claims.iss),
    audience: shownAudience(claims.aud),
    azp: shown(claims.azp),
    kid: shown(header.kid),
    alg: shown(header.alg),
    iat: seconds(claims.iat),
    exp: seconds(claims.exp),
    ...(hasClaim(claims, SESSION_TAGS) && { hasSessionTags: true }),
    ...(hasClaim(claims, SOURCE_IDENTITY) && { hasSourceIdentity: true }),
    subjectHash: subjectHash(claims.sub),
  };
}

/** AWS STS user guide, "Passing session tags using AssumeRoleWithWebIdentity": nested or flattened. */
const SESSION_TAGS = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY = "https://aws.amazon.com/source_identity";

function hasClaim(claims: DecodedToken["claims"], name: string): boolean {
  return Object.keys(claims).some((claim) => claim === name || claim.startsWith(`${name}/`));
}

/** The largest 64-bit integer: what some issuers write for "never". More than that is no time. */
const MAX_SECONDS = 2 ** 63;

/** A NumericDate as STS reads it: an integer, or a string of one. */
export function seconds(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^-?\d+$/.test(value);
  const number = isText ? Number(value) : value;
  const isTime = Number.isInteger(number) && Math.abs(number as number) <= MAX_SECONDS;
  return isTime ? (number as number) : undefined;
}

function shown(value: unknown): string | undefined {
  return typeof value === "string" ? safeText(value, MAX_CLAIM_LENGTH) : undefined;
}

function shownAudience(value: unknown): string | readonly string[] | undefined {
  if (!Array.isArray(value)) return shown(value);
  return value.slice(0, MAX_AUDIENCES).flatMap((entry) => shown(entry) ?? []);
}

function subjectHash(sub: unknown): string | undefined {
  if (typeof sub !== "string" && typeof sub !== "number") return undefined;
  return createHash("sha256").update(String(sub)).digest("hex").slice(0, 16);
}
