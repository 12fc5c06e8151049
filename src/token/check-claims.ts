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
  const invalid = Object.entries(claims).flatMap(([claim, value]) => {
    const problem = claimProblem(claim, value);
    return problem === undefined ? [] : [claimInvalid(claim, problem)];
  });
  return [...missing, ...invalid];
}

function claimProblem(claim: string, value: unknown): string | undefined {
  if (TIMES.includes(claim)) {
    return seconds(value) === undefined ? "is not a whole number of seconds" : undefined;
  }
  if (claim === "sub") return value === null ? "is null" : undefined;
  if (claim === "aud") return audienceProblem(value);
  // No client ID of an IAM OIDC provider is empty; observed 2026-09.
  if (claim === "azp") return value === "" ? "is empty" : undefined;
  if (claim === "iss") return issuerProblem(value);
  return undefined;
}

function audienceProblem(value: unknown): string | undefined {
  const entries: unknown[] = Array.isArray(value) ? value : [value];
  if (entries.length === 0) return "is an empty list";
  if (entries.some((entry) => typeof entry !== "string")) return "is not a string";
  return entries.includes("") ? "is empty" : undefined;
}

function issuerProblem(value: unknown): string | undefined {
  if (typeof value !== "string") return "is not a string";
  if (ISSUERS_WITHOUT_SCHEME.includes(value)) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === "https:") return undefined;
  // Local emulators speak plain http; STS itself could never reach them.
  if (url?.protocol === "http:" && isLoopbackUrl(url)) return undefined;
  return `is not an https URL (${JSON.stringify(safeText(value, 100))})`;
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
