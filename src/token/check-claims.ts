import type { Finding } from "../model/findings.js";
import { ISSUERS_WITHOUT_SCHEME } from "../model/jwt.js";
import { isLoopbackUrl } from "../runtime/loopback.js";
import { safeText } from "../runtime/redact.js";
import { seconds } from "./facts.js";

type Claims = Readonly<Record<string, unknown>>;

/** What STS asks of every OIDC token; observed 2026-09. */
const REQUIRED = ["iss", "sub", "aud", "iat", "exp"];
const TIMES = ["iat", "nbf", "exp"];

/** Claims that are absent, or present with a value STS cannot take. */
export function checkClaims(claims: Claims): Finding[] {
  const missing = REQUIRED.filter((claim) => claims[claim] === undefined).map(claimMissing);
  const invalid = Object.keys(claims).flatMap((claim) => {
    const problem = claimProblem(claim, claims);
    if (problem === undefined) return [];
    const { words, isObserved } = problem;
    const finding = claimInvalid(claim, words);
    return [isObserved ? finding : { ...finding, severity: "suspect" as const }];
  });
  return [...missing, ...invalid];
}

interface ClaimProblem {
  /** Follows the claim's name. */
  readonly words: string;
  /** Whether STS was observed to refuse it, or IAM to have no provider for it; otherwise it is suspected, and STS decides. */
  readonly isObserved: boolean;
}

const observed = (words: string): ClaimProblem => ({ words, isObserved: true });
const unobserved = (words: string): ClaimProblem => ({ words, isObserved: false });

function claimProblem(claim: string, claims: Claims): ClaimProblem | undefined {
  const value = claims[claim];
  if (TIMES.includes(claim)) return timeProblem(value);
  if (claim === "sub") return value === null ? observed("is null") : undefined;
  if (claim === "aud") return audienceProblem(value, claims.azp);
  // No client ID of an IAM OIDC provider is empty; observed 2026-09.
  if (claim === "azp") return value === "" ? observed("is empty") : undefined;
  if (claim === "iss") return issuerProblem(value);
  return undefined;
}

/** Observed 2026-09: null, fractions and what is no number are refused, strings of integers are not. */
function timeProblem(value: unknown): ClaimProblem | undefined {
  if (seconds(value) !== undefined) return undefined;
  const words = "is not a whole number of seconds";
  const isText = typeof value === "string" && value.trim() !== "";
  // Numbers beyond 64 bits, and integers in another spelling.
  const isIntegral = (isText || typeof value === "number") && Number.isInteger(Number(value));
  return isIntegral ? unobserved(words) : observed(words);
}

/** Observed 2026-09: an empty `aud` is refused where no `azp` decides. */
function audienceProblem(value: unknown, azp: unknown): ClaimProblem | undefined {
  const entries: unknown[] = Array.isArray(value) ? value : [value];
  if (entries.length === 0) return unobserved("is an empty list");
  if (entries.some((entry) => typeof entry !== "string")) return unobserved("is not a string");
  if (!entries.includes("")) return undefined;
  return azp === undefined ? observed("is empty") : unobserved("is empty");
}

/** IAM takes https URLs alone as issuers (API reference, CreateOpenIDConnectProvider). */
function issuerProblem(value: unknown): ClaimProblem | undefined {
  if (typeof value !== "string") return observed("is not a string");
  if (ISSUERS_WITHOUT_SCHEME.includes(value)) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === "https:") return undefined;
  // Local emulators speak plain http; STS itself could never reach them.
  if (url?.protocol === "http:" && isLoopbackUrl(url)) return undefined;
  return observed(`is not an https URL (${JSON.stringify(safeText(value, 100))})`);
}

function claimMissing(claim: string): Finding {
  return {
    id: "token-claim-missing",
    severity: "fatal",
    title: "The token lacks a claim that STS requires.",
    detail: `The token has no \`${claim}\`; STS requires ${REQUIRED.join(", ")}.`,
    remedy:
      "Workload: use an ID token or a projected service account token, not an access token or a legacy Kubernetes secret.",
    evidence: { claim },
  };
}

export function claimInvalid(claim: string, problem: string): Finding {
  return {
    id: "token-claim-invalid",
    severity: "fatal",
    title: "A claim of the token has a value that STS refuses.",
    detail: `The token's \`${claim}\` ${problem}.`,
    remedy: `IdP: issue this client's tokens with a valid \`${claim}\`.`,
    evidence: { claim, problem },
  };
}
