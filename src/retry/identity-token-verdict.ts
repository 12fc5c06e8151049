import type { Verdict } from "../model/failure.js";

/**
 * `InvalidIdentityToken` is one code for many causes, told apart by its words alone. The rules look
 * for what a sentence is about, so that a new wording of an old cause still finds its place; they
 * are asked in order.
 */
const RULES: readonly (readonly [RegExp, Verdict])[] = [
  // "No OpenIDConnect provider found in your account for …": first, since what follows is the
  // issuer's URL and may contain any word.
  [/no\s+open\s?id\s?connect\s+provider/i, "token-rejected"],
  // "Couldn't retrieve verification key from your identity provider,  please reference …"
  [/verification\s+key/i, "idp-unreachable"],
  // "Token issued in the future: …", "Token not yet valid: …"
  [/issued\s+in\s+the\s+future|not\s+yet\s+valid|not[-\s]before/i, "token-early"],
  // "Token expired: current date/time … must be before the expiration date/time …"; not an expired
  // token, if ever it is the provider's certificate that has expired.
  [/^(?!.*certificate).*\bexpired\b/is, "token-expired"],
  // Anything about getting through to the provider, whatever the words.
  [
    /(could\s*n[o'’]?t|unable\s+to|fail(ed|ure)\s+to|cannot|can\s*not|can['’]t)\s+(reach|connect|contact|communicate|retrieve|fetch|download|resolve)\b/i,
    "idp-unreachable",
  ],
  [/timed?[-\s]?out|unreachable|communicat(e|ion)/i, "idp-unreachable"],
  // "… could not be validated. …", "Incorrect token audience", "Missing a required claim: …",
  // "… is not a valid JWT …", "Token audience contains more than one …", "Invalid timestamp …",
  // "Provided Token is not a Login With Amazon token", "OpenIDConnect provider's HTTPS certificate
  // doesn't match configured thumbprint".
  [
    /could\s+not\s+be\s+validated|audience|claim|valid\s+jwt|signature|timestamp|thumbprint|certificate|login\s+with\s+amazon|issuer/i,
    "token-rejected",
  ],
];

/** What an `InvalidIdentityToken` with this message means. */
export function identityTokenVerdict(message: string): Verdict {
  return RULES.find(([pattern]) => pattern.test(message))?.[1] ?? "unknown";
}
