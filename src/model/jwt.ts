import type { Finding } from "./findings.js";

/*
 * Reads a token without checking it: its header and claims, the facts that are safe to show, and, if the
 * text is not a JWT, what it is instead.
 */

/** The facts about a token that are safe to show; never the token itself. */
export interface TokenFacts {
  /** The `iss` claim. */
  readonly issuer?: string | undefined;
  /** The `aud` claim. */
  readonly audience?: string | readonly string[] | undefined;
  /**
   * The authorized party. Where a token has one, STS compares it, and not the audience, with the
   * client IDs of the IAM OIDC provider, and so does a trust policy's condition on `aud`.
   */
  readonly azp?: string | undefined;
  /** Key ID in the token's header. */
  readonly kid?: string | undefined;
  /** Signature algorithm in the token's header. */
  readonly alg?: string | undefined;
  /** Seconds since the epoch. */
  readonly iat?: number | undefined;
  /** Seconds since the epoch. */
  readonly exp?: number | undefined;
  /** Whether the token has session tags, for which a trust policy must allow `sts:TagSession`. */
  readonly hasSessionTags?: true | undefined;
  /** Whether it has a source identity, for which it must allow `sts:SetSourceIdentity`. */
  readonly hasSourceIdentity?: true | undefined;
  /** The first 16 hex digits of the SHA-256 of `sub`: distinguishes subjects without naming them. */
  readonly subjectHash?: string | undefined;
}

/** The header and the claims of a JWT. Nothing is verified. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Removes the byte order mark, line ends and spaces that editors and shells add. */
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
 * observed to return "not a valid JWT" for all but three base64url parts with JSON, and to a `crit`.
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

/** The audience that AWS's own integrations (EKS, GitHub Actions) request. */
export const DEFAULT_AUDIENCE = "sts.amazonaws.com";

/**
 * The Kubernetes API server: the audience of a pod's own token, and of any service account token
 * for which none is named (Kubernetes documentation, "ServiceAccount token volume projection").
 */
const KUBERNETES_API = /^(https:\/\/)?kubernetes\.default(\.svc(\.[\w.-]+)?)?(:\d+)?\/?$/i;

/** Whether a token is only for the Kubernetes API. */
export function isForKubernetesApi(audience: TokenFacts["audience"] = []): boolean {
  const audiences = [audience].flat();
  return audiences.length > 0 && audiences.every((each) => KUBERNETES_API.test(each));
}

export const EXPIRED_TOKEN_REMEDY =
  "Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.";

/** The step that gives a pod on EKS a token for AWS; completes a sentence. */
export const ANNOTATE_SERVICE_ACCOUNT =
  "annotate the service account with eks.amazonaws.com/role-arn and restart the pod";

/** The sentences about such a token. */
export const POD_TOKEN = {
  what: "The token is the pod's own token for the Kubernetes API",
  remedy: `Workload: mount the projected service account token with audience ${DEFAULT_AUDIENCE}, and use its path. On EKS, ${ANNOTATE_SERVICE_ACCOUNT}.`,
} as const;

/** What a text is, if it is not a JWT. */
interface OtherShape {
  /** Completes the sentence "the token is not a JWT: …". */
  readonly problem: string;
  /** What to do instead, and who must do it. */
  readonly remedy: string;
}

const PASS_THE_TOKEN =
  "Workload: pass the ID token itself (three dot-separated parts), not an access token, a file path or the JSON around it.";

const PASS_THE_TOKEN_FILE =
  "Workload: name the file of the token, not the certificate or key beside it (on Kubernetes: `token`, not `ca.crt`).";

type Rule = readonly [beginning: RegExp, problem: string, remedy?: string];

/** Files that are often in the same directory as the token. */
const KEY_FILES: readonly Rule[] = [
  [/^-----BEGIN [A-Z ]*CERTIFICATE/, "it is a PEM certificate", PASS_THE_TOKEN_FILE],
  [
    /^-----BEGIN [A-Z ]*PRIVATE KEY/,
    "it is a PEM private key, which signs tokens but is not one",
    `${PASS_THE_TOKEN_FILE} Keep the private key out of the workload.`,
  ],
  [/^(-----BEGIN |ssh-|ecdsa-)/, "it is a key or another PEM file", PASS_THE_TOKEN_FILE],
];

/** Texts recognized by a beginning that no JWT has; the first match counts. */
const BEGINNINGS: readonly Rule[] = [
  ...KEY_FILES,
  [/^["'`]/, "it has quotes around it", "Workload: remove the quotes."],
  [
    /^(authorization\s*:|bearer\b)/i,
    "it begins with `Bearer` or is a whole header",
    "Workload: pass only what follows `Bearer`.",
  ],
  [
    /^(\$[\w{(]|%\w+%|\{\{|<[A-Z_]+>$)/,
    "it is a variable or placeholder that was not replaced",
    "Workload: expand the variable where the token is written or passed.",
  ],
  [
    /^(undefined|null|NaN|\[object .*\]|None)$/,
    "it is the text of a value that is not set",
    "Workload: check what provides the token; its result was turned into text.",
  ],
  [
    /^(export\s+)?[A-Za-z_]\w*=[^=]/,
    "it begins with the name of a variable and `=`",
    "Workload: pass only what follows `=`.",
  ],
  [/^(\/|\.\.?\/|~\/|[a-z]:\\|file:)/i, "it looks like a path to the token"],
  [/^[a-z][a-z\d+.-]*:\/\//i, "it looks like a URL"],
  [/^(<\?xml|<saml|<soap)/i, "it looks like an HTML or XML page, perhaps a SAML assertion"],
  [/^</, "it looks like an HTML or XML page"],
  [/^apiVersion:/, "it is a Kubernetes manifest or kubeconfig (YAML)", PASS_THE_TOKEN_FILE],
  [/^k8s-aws-v1\./, "it is a token of `aws eks get-token`, which is for the Kubernetes API"],
  [/^(gh[a-z]_|github_pat_)/, "it is a GitHub access token; GitHub's OIDC tokens are JWTs"],
  [/^gl[a-z]{2,6}-/, "it is a GitLab access token; GitLab's ID tokens are JWTs"],
  [/^ya29\./, "it is a Google access token; Google's ID tokens are JWTs"],
  [/^hv[sbr]\./, "it is a Vault token; Vault's identity tokens are JWTs"],
  [/^v[1-4]\.(public|local)\./, "it is a PASETO token"],
  [/^A(KI|SI|RO|ID)A[A-Z0-9]{12,}$/, "it is an AWS access key or role ID"],
];

/**
 * What the text is, if its beginning shows that it is not a JWT. The result never contains any of the text.
 */
export function recognizedShape(text: string): OtherShape | undefined {
  for (const [beginning, problem, remedy = PASS_THE_TOKEN] of BEGINNINGS) {
    if (beginning.test(text)) return { problem, remedy };
  }
  return /^[{[]/.test(text) ? { problem: wrapper(text), remedy: PASS_THE_TOKEN } : undefined;
}

function otherShape(text: string): OtherShape | undefined {
  return recognizedShape(text) ?? encoded(text) ?? inParts(text);
}

/** A text that is not a JWT, for the given reason. */
export function notAJwt(problem: string): OtherShape {
  return { problem, remedy: PASS_THE_TOKEN };
}

/** Members that identify well-known JSON files. */
const JSON_FILES: readonly (readonly [member: string, kind: string])[] = [
  ["keys", "a JWKS"],
  ["signatures", "a JWS in JSON serialization"],
  ["ciphertext", "an encrypted token (JWE in JSON serialization)"],
  ["AccessKeyId", "AWS credentials"],
  ["private_key", "the key file of a service account"],
  ["credential_source", "a configuration of Google's workload identity federation"],
];

const WRAPS = "it looks like JSON that wraps the token";

function wrapper(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return WRAPS;
  }
  if (typeof value !== "object" || value === null) return WRAPS;
  const kind = JSON_FILES.find(([member]) => Object.hasOwn(value, member))?.[1];
  if (kind !== undefined) return `it is ${kind}`;
  const path = tokenIn(value);
  return path === undefined ? WRAPS : `${WRAPS}, which is its member \`${path}\``;
}

/** The path of a JWT in the JSON: `value`, or `status.token` of a Kubernetes TokenRequest. */
function tokenIn(value: object, depth = 2): string | undefined {
  for (const [name, member] of Object.entries(value).slice(0, 50)) {
    if (!/^\w{1,40}$/.test(name)) continue;
    if (typeof member === "string" && JWT.test(member)) return name;
    if (typeof member === "object" && member !== null && depth > 1) {
      const inner = tokenIn(member, depth - 1);
      if (inner !== undefined) return `${name}.${inner}`;
    }
  }
  return undefined;
}

const JWT = /^ey[\w-]+\.[\w-]+\.[\w-]*$/;

/** Recognizes base64 of a known text, such as the `data` of a Kubernetes Secret. */
function encoded(text: string): OtherShape | undefined {
  if (!/^[A-Za-z0-9+/\s_-]{16,}={0,2}$/.test(text)) return undefined;
  const decoded = Buffer.from(text, "base64").toString();
  if (JWT.test(decoded.trim())) {
    return { problem: "it is base64 of the token", remedy: "Workload: decode the token first." };
  }
  const file = KEY_FILES.find(([beginning]) => beginning.test(decoded))?.[1];
  if (file !== undefined) {
    return { problem: `${file}, in base64`, remedy: PASS_THE_TOKEN_FILE };
  }
  if (/^<(\?xml|saml)/i.test(decoded)) return notAJwt("it is base64 of a SAML assertion or XML");
  return /^\{\s*"/.test(decoded) ? notAJwt("it is base64 of JSON") : undefined;
}

/** A JWT has three parts in base64url. Reports how the text differs from that. */
function inParts(text: string): OtherShape | undefined {
  if (/\s/.test(text)) {
    return {
      problem: "it has a space or a line break inside",
      remedy: "Workload: write the token on one line, and nothing else.",
    };
  }
  const parts = text.split(".");
  if (parts.length === 5) return notAJwt("it is an encrypted token (JWE, five parts)");
  if (parts.length === 1) {
    return notAJwt("it is one opaque string without dots, as many access tokens are");
  }
  if (parts.length !== 3) {
    return notAJwt(
      `it has ${parts.length} dot-separated parts instead of 3${parts.length === 2 ? "; it may be cut off" : ""}`,
    );
  }
  if (parts[2] === "") return notAJwt("its signature is empty: it is unsigned, or cut off");
  if (parts.includes("")) return notAJwt("a part of it is empty");
  if (parts.every((part) => /^[\w-]+$/.test(part))) return undefined;
  return parts.every((part) => /^[\w+/-]+={0,2}$/.test(part))
    ? notAJwt("a part of it is base64 and not base64url (it has `+`, `/` or `=`)")
    : notAJwt("a part of it is not base64url");
}
