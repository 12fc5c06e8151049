import { createHash } from "node:crypto";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** The algorithms STS verifies. */
const ALGORITHMS = new Set(["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]);

/** A token, taken apart and not yet verified. */
export interface JsonWebToken {
  readonly algorithm: string;
  /** Absent when the header has none that is a string; an empty one is a kid like any other. */
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the signature is over. */
  readonly signed: string;
  readonly signature: Buffer;
}

/** What may be told of a token: never the token. */
export interface TokenFacts {
  readonly length: number;
  /** The first 12 hexadecimal digits of the token's SHA-256: the same for the same token. */
  readonly sha256Prefix: string;
  readonly issuer?: string;
  readonly subject?: string;
  readonly audience?: readonly string[];
  readonly keyId?: string;
  readonly algorithm?: string;
}

/** @throws StsRefusal when it is no JWT, or one that STS does not take for one. */
export function readJsonWebToken(token: string): JsonWebToken {
  const [head = "", body = "", signature = "", ...rest] = token.split(".");
  const header = readPart(head);
  const claims = readPart(body);
  const algorithm = header?.alg;
  const usable =
    rest.length === 0 &&
    isBase64url(signature) &&
    typeof algorithm === "string" &&
    ALGORITHMS.has(algorithm) &&
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

/** What can be told of any string that was sent as a token. */
export function tokenFacts(token: string): TokenFacts {
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

/** A part of a JWT; of a member that stands twice the last counts, as it does for STS. */
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
