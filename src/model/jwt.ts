import type { Finding } from "./findings.js";
import { notAJwt, type OtherShape, otherShape } from "./token-shape.js";

/** The header and the claims of a JWT. Nothing is verified. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Removes the byte order mark, line ends and blanks that editors and shells add. */
export function trimToken(text: string): string {
  return text.replace(/^\uFEFF/, "").trim();
}

/** Reads the header and the claims of a compact JWT, or reports what the text is instead. */
export function decodeToken(token: string): DecodedToken | OtherShape {
  const other = otherShape(token);
  if (other !== undefined) return other;
  const [first = "", second = ""] = token.split(".");
  const header = parseObject(first);
  if (header === undefined) return notAJwt("its header is not a JSON object");
  const claims = parseObject(second);
  if (claims === undefined) return notAJwt("its payload is not a JSON object");
  return { header, claims };
}

/**
 * The finding for a token that {@link decodeToken} can't read, or whose header STS refuses. STS was
 * observed to answer "not a valid JWT" to all but three base64url parts with JSON, and to a `crit`.
 */
export function malformedToken(
  { problem, remedy }: OtherShape,
  evidence: Finding["evidence"] = {},
): Finding {
  return {
    id: "token-malformed",
    severity: "fatal",
    title: "The token is not a JWT that STS can read.",
    detail: `The token is not a JWT that STS can read: ${problem}.`,
    remedy,
    evidence: { problem, ...evidence },
  };
}

function parseObject(part: string): Record<string, unknown> | undefined {
  try {
    // What is not UTF-8 is replaced: how STS reads a claim in another encoding is not known.
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Google's tokens may name their issuer without a scheme (Google Identity, OpenID Connect reference). */
export const ISSUERS_WITHOUT_SCHEME: readonly string[] = ["accounts.google.com"];
