import type { Finding } from "../model/findings.js";
import {
  DEFAULT_AUDIENCE,
  ISSUERS_WITHOUT_SCHEME,
  isForKubernetesApi,
  POD_TOKEN,
} from "../model/jwt.js";
import { safeText } from "../runtime/redact.js";
import { isLoopbackUrl } from "../runtime/url-host.js";

type Claims = Readonly<Record<string, unknown>>;

/** What STS asks of every OIDC token; observed 2026-09. */
const REQUIRED = ["iss", "sub", "aud", "iat", "exp"];
const TIMES = ["iat", "nbf", "exp"];

/** Finds claims that are missing, and claims with a value that STS does not accept. */
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
  /** Whether STS was observed to refuse it, or IAM can have no provider for it. Otherwise STS decides. */
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

/** Observed 2026-09: STS refuses null, fractions and values that are not numbers; it accepts strings of integers. */
function timeProblem(value: unknown): ClaimProblem | undefined {
  if (seconds(value) !== undefined) return undefined;
  const words = "is not a whole number of seconds";
  const isText = typeof value === "string" && value.trim() !== "";
  // Numbers beyond 64 bits, and integers in another spelling.
  const isIntegral = (isText || typeof value === "number") && Number.isInteger(Number(value));
  return isIntegral ? unobserved(words) : observed(words);
}

/** Observed 2026-09: STS refuses an empty `aud` if the token has no `azp`. */
function audienceProblem(value: unknown, azp: unknown): ClaimProblem | undefined {
  const entries: unknown[] = Array.isArray(value) ? value : [value];
  if (entries.length === 0) return unobserved("is an empty list");
  if (entries.some((entry) => typeof entry !== "string")) return unobserved("is not a string");
  if (!entries.includes("")) return undefined;
  return azp === undefined ? observed("is empty") : unobserved("is empty");
}

/** IAM accepts only https URLs as issuers (API reference, CreateOpenIDConnectProvider). */
function issuerProblem(value: unknown): ClaimProblem | undefined {
  if (typeof value !== "string") return observed("is not a string");
  if (ISSUERS_WITHOUT_SCHEME.includes(value)) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === "https:") return undefined;
  // Local emulators use plain http; STS itself can never reach them.
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

/** The largest 64-bit integer, which some issuers write for "never". A larger number is not a time. */
const MAX_SECONDS = 2 ** 63;

/** A NumericDate as STS reads it: an integer, or a string of one. */
export function seconds(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^-?\d+$/.test(value);
  const number = isText ? Number(value) : value;
  const isTime = Number.isInteger(number) && Math.abs(number as number) <= MAX_SECONDS;
  return isTime ? (number as number) : undefined;
}

/**
 * Checks the claim that STS compares with the client IDs of the IAM OIDC provider: `azp` if the token has
 * one, otherwise `aud`; observed 2026-09.
 */
export function checkAudience(
  { aud, azp }: Readonly<Record<string, unknown>>,
  expected: readonly string[] = [],
): Finding[] {
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter(
    (entry): entry is string => typeof entry === "string" && entry !== "",
  );
  if (audiences.length === 0) return [];
  if (audiences.length > 1 && azp === undefined) return [ambiguous(audiences)];
  const known = [DEFAULT_AUDIENCE, ...expected];
  if (typeof azp === "string") {
    // An empty one is not only unexpected: checkClaims() refuses it.
    return azp === "" || known.includes(azp) ? [] : [unexpectedParty(azp, audiences, known)];
  }
  return audiences.some((entry) => known.includes(entry)) ? [] : [unexpected(audiences, known)];
}

function ambiguous(audiences: readonly string[]): Finding {
  const shown = shownList(audiences);
  return {
    id: "token-audience-ambiguous",
    severity: "fatal",
    title: "The token has several audiences and no authorized party.",
    detail: `The token's \`aud\` is ${JSON.stringify(shown)} and it has no \`azp\`.`,
    remedy: `Workload: request a token with one audience, ${DEFAULT_AUDIENCE}. IdP: or add an \`azp\` that is a client ID of the IAM OIDC provider.`,
    evidence: { audiences: shown },
  };
}

function unexpected(audiences: readonly string[], known: readonly string[]): Finding {
  const shown = shownList(audiences);
  const base = {
    id: "token-audience-unexpected",
    severity: "advice",
    detail: `The token is for ${shown.join(", ")}; expected was ${known.join(" or ")}.`,
    evidence: { audiences: shown, expected: known },
  } as const;
  if (isForKubernetesApi(audiences)) {
    return { ...base, title: `${POD_TOKEN.what}.`, remedy: POD_TOKEN.remedy };
  }
  return {
    ...base,
    title: "The token's audience is not the usual one.",
    remedy:
      "AWS account: the IAM OIDC provider must list this audience among its client IDs, and the role's trust policy must allow it.",
  };
}

function unexpectedParty(
  azp: string,
  audiences: readonly string[],
  known: readonly string[],
): Finding {
  const [party] = shownList([azp]);
  const shown = shownList(audiences);
  return {
    id: "token-audience-unexpected",
    severity: "advice",
    title: "The token's azp decides, and it is not the usual one.",
    detail: `The token has azp ${party} and aud ${shown.join(", ")}; STS compares azp, and expected was ${known.join(" or ")}.`,
    remedy: `AWS account: the IAM OIDC provider must list azp ${party} among its client IDs, and the role's trust policy must allow it as aud.`,
    evidence: { azp: party, audiences: shown, expected: known },
  };
}

function shownList(audiences: readonly string[]): string[] {
  return audiences.slice(0, 10).map((entry) => safeText(entry, 200));
}
