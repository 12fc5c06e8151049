import { isUtf8 } from "node:buffer";
import type { Finding } from "./findings.js";

/** A JWT's two readable parts. Nothing is verified. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Without the byte order mark, the line end and the blanks that editors and shells add. */
export function trimToken(text: string): string {
  return text.replace(/^\uFEFF/, "").trim();
}

/** Reads the header and the claims of a compact JWT, or says in words why it is none. */
export function decodeToken(token: string): DecodedToken | { readonly problem: string } {
  const other = otherKind(token);
  if (other !== undefined) return { problem: other };
  const parts = token.split(".");
  if (parts.length === 5) return { problem: "it is an encrypted token (JWE, five parts)" };
  if (parts.length !== 3) {
    return { problem: `it has ${parts.length} dot-separated part(s) instead of 3` };
  }
  if (parts.some((part) => !BASE64URL.test(part))) {
    return { problem: "a part of it is empty or not base64url" };
  }
  const header = parseObject(parts[0] as string);
  if (header === undefined) return { problem: "its header is not a JSON object" };
  const claims = parseObject(parts[1] as string);
  if (claims === undefined) return { problem: "its payload is not a JSON object" };
  return { header, claims };
}

/** A token that {@link decodeToken} has a problem with, or STS with its header. */
export function malformedToken(problem: string, evidence: Finding["evidence"] = {}): Finding {
  return {
    id: "token-malformed",
    severity: "fatal",
    title: "The token is not a JWT that STS can read.",
    detail: `The token is no usable JWT: ${problem}.`,
    remedy:
      "Workload: pass the ID token itself (three dot-separated parts), not an access token, a file path or the JSON around it.",
    evidence: { problem, ...evidence },
  };
}

/** What else the text is, by a beginning that no JWT has. */
const OTHER_KINDS: readonly (readonly [RegExp, string])[] = [
  [/^[{[]/, "it looks like JSON that wraps the token"],
  [/^["'`]/, "it has quotes around it"],
  [/^bearer\s/i, "it begins with `Bearer`"],
  [/^(\/|\.\.?\/|~\/|[a-z]:\\|file:)/i, "it looks like a path to the token"],
  [/^https?:/i, "it looks like a URL"],
  [/^</, "it looks like an HTML or XML page"],
];

function otherKind(text: string): string | undefined {
  return OTHER_KINDS.find(([beginning]) => beginning.test(text))?.[1];
}

function parseObject(part: string): Record<string, unknown> | undefined {
  try {
    const bytes = Buffer.from(part, "base64url");
    if (!isUtf8(bytes)) return undefined;
    const value: unknown = JSON.parse(bytes.toString());
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Google's tokens may name their issuer without a scheme (Google Identity, OpenID Connect reference). */
export const ISSUERS_WITHOUT_SCHEME: readonly string[] = ["accounts.google.com"];
