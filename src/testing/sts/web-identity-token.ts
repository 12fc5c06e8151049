import { createHash } from "node:crypto";
import {
  SESSION_TAGS_CLAIM,
  SOURCE_IDENTITY_CLAIM,
  STS_ALGORITHMS,
  STS_REQUIRED_CLAIMS,
  STS_TIME_TOLERANCE_SECONDS,
} from "../../model/sts-limits.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** A decoded token, before its signature is verified. */
export interface JsonWebToken {
  readonly algorithm: string;
  /** Absent when the header has no `kid` that is a string. An empty `kid` is one. */
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The text that the signature covers. */
  readonly signed: string;
  readonly signature: Buffer;
}

/** The facts about a token that a report may contain: never the token itself. */
export interface SentToken {
  /** Length of the token, in characters. */
  readonly length: number;
  /** The first 12 hexadecimal digits of the token's SHA-256, to compare tokens. */
  readonly sha256Prefix: string;
  /** The `iss` claim. */
  readonly issuer?: string;
  /** The `sub` claim. */
  readonly subject?: string;
  /** The `aud` claim, as a list. */
  readonly audience?: readonly string[];
  /** Key ID in the token's header. */
  readonly keyId?: string;
  /** Signature algorithm in the token's header. */
  readonly algorithm?: string;
}

/** @throws StsRefusal when STS doesn't accept the string as a JWT. */
export function readJsonWebToken(token: string): JsonWebToken {
  const [head = "", body = "", signature = "", ...rest] = token.split(".");
  const header = readPart(head);
  const claims = readPart(body);
  const algorithm = header?.alg;
  const usable =
    rest.length === 0 &&
    isBase64url(signature) &&
    typeof algorithm === "string" &&
    STS_ALGORITHMS.includes(algorithm) &&
    !("crit" in (header ?? {}));
  if (!usable || !header || !claims) throw new StsRefusal(WIRE_ERRORS.notJwt);
  const kid = header.kid;
  return {
    algorithm,
    kid: typeof kid === "string" ? kid : undefined,
    claims,
    signed: `${head}.${body}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

/** The facts of any string that a caller sent as a token. */
export function sentToken(token: string): SentToken {
  const [head = "", body = ""] = token.split(".");
  const header = readPart(head);
  const claims = readPart(body);
  const audience = claims?.aud;
  const facts = {
    issuer: claims?.iss,
    subject: claims?.sub,
    keyId: header?.kid,
    algorithm: header?.alg,
  };
  return {
    length: token.length,
    sha256Prefix: createHash("sha256").update(token).digest("hex").slice(0, 12),
    ...Object.fromEntries(Object.entries(facts).filter(([, fact]) => typeof fact === "string")),
    ...(audience === undefined ? {} : { audience: [audience].flat().map(String) }),
  };
}

/** Decodes a part of a JWT. Of a duplicate member, the last one counts, as for STS. */
function readPart(part: string): Record<string, unknown> | undefined {
  if (!isBase64url(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isBase64url(text: string): boolean {
  return /^[\w-]+$/.test(text);
}

type Claims = Readonly<Record<string, unknown>>;

/** @throws StsRefusal that names the first missing claim. */
export function checkRequiredClaims(claims: Claims): void {
  for (const claim of STS_REQUIRED_CLAIMS) {
    if (claims[claim] === undefined) throw new StsRefusal(WIRE_ERRORS.missingClaim(claim));
  }
}

/** @throws StsRefusal for an invalid time, a time beyond the tolerance, or an `exp` before `iat` or `nbf`. */
export function checkTimes(claims: Claims, nowSeconds: number): void {
  const exp = readTime(claims.exp);
  const iat = readTime(claims.iat);
  const nbf = claims.nbf === undefined ? undefined : readTime(claims.nbf);
  // STS prints the limits that it compares with, and not its time: they don't show a clock skew.
  const past = nowSeconds - STS_TIME_TOLERANCE_SECONDS;
  const future = nowSeconds + STS_TIME_TOLERANCE_SECONDS;
  if (past >= exp) throw new StsRefusal(WIRE_ERRORS.tokenExpired(past, exp));
  if (iat > future) throw new StsRefusal(WIRE_ERRORS.issuedInFuture(iat));
  if (nbf !== undefined && nbf > future) {
    throw new StsRefusal(WIRE_ERRORS.notYetValid(future, nbf));
  }
  // Only when both are within the tolerance: STS was observed to compare each with its time first.
  if (exp < Math.max(iat, nbf ?? iat)) throw new StsRefusal(WIRE_ERRORS.invalidTimestamp);
}

/**
 * The subject. STS converts a number to a string, and accepts an empty string.
 *
 * @throws StsRefusal for null: the InternalFailure that no retry resolves.
 */
export function readSubject(claims: Claims): string {
  const subject = claims.sub;
  if (typeof subject === "string" || typeof subject === "number") return String(subject);
  throw new StsRefusal(WIRE_ERRORS.nullSubject);
}

/**
 * The audience that must be registered: `azp` if the token has it, otherwise `aud`.
 *
 * @throws StsRefusal for several audiences without `azp`, and for no audience.
 */
export function readAudience(claims: Claims): string {
  const { aud, azp } = claims as { readonly aud?: unknown; readonly azp?: unknown };
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (azp === undefined && audiences.length > 1) {
    throw new StsRefusal(WIRE_ERRORS.ambiguousAudience);
  }
  const audience = azp === undefined ? audiences[0] : azp;
  if (typeof audience !== "string" || audience === "") {
    throw new StsRefusal(WIRE_ERRORS.notValidated);
  }
  return audience;
}

/** Whole seconds, as a number or a string. */
function readTime(value: unknown): number {
  const isTime =
    Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{1,15}$/.test(value));
  if (!isTime) throw new StsRefusal(WIRE_ERRORS.invalidTimestamp);
  return Number(value);
}

/** The attributes that the session inherits from the token. */
export interface SessionAttributes {
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}

/**
 * Reads session tags in both forms that AWS documents, nested and flattened, and the source
 * identity.
 *
 * @throws StsRefusal for tags in another form. The message of STS for them isn't known.
 */
export function readSessionAttributes(
  claims: Readonly<Record<string, unknown>>,
): SessionAttributes {
  const nested = asObject(claims[SESSION_TAGS_CLAIM] ?? {});
  const tags: [string, string][] = [];
  for (const [key, values] of Object.entries(asObject(nested.principal_tags ?? {}))) {
    const [value, ...more] = asStrings(values);
    if (value === undefined || more.length > 0) throw new StsRefusal(WIRE_ERRORS.notValidated);
    tags.push([key, value]);
  }
  const prefix = `${SESSION_TAGS_CLAIM}/principal_tags/`;
  for (const [claim, value] of Object.entries(claims)) {
    if (claim.startsWith(prefix)) tags.push([claim.slice(prefix.length), asString(value)]);
  }
  const transitive =
    nested.transitive_tag_keys ?? claims[`${SESSION_TAGS_CLAIM}/transitive_tag_keys`] ?? [];
  const sourceIdentity = claims[SOURCE_IDENTITY_CLAIM];
  return {
    tags: Object.fromEntries(tags),
    transitiveTagKeys: asStrings(transitive),
    sourceIdentity: sourceIdentity === undefined ? undefined : asString(sourceIdentity),
  };
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new StsRefusal(WIRE_ERRORS.notValidated);
}

function asStrings(value: unknown): string[] {
  if (!Array.isArray(value)) throw new StsRefusal(WIRE_ERRORS.notValidated);
  return value.map(asString);
}

function asString(value: unknown): string {
  if (typeof value === "string") return value;
  throw new StsRefusal(WIRE_ERRORS.notValidated);
}
