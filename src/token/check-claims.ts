import type { Finding } from "../model/findings.js";
import {
  DEFAULT_AUDIENCE,
  EXPIRED_TOKEN_REMEDY,
  ISSUERS_WITHOUT_SCHEME,
  isForKubernetesApi,
  POD_TOKEN,
} from "../model/jwt.js";
import { STS_REQUIRED_CLAIMS, STS_TIME_TOLERANCE_SECONDS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { formatDuration, formatTime } from "../runtime/time-text.js";
import { isLoopbackUrl } from "../runtime/url-host.js";

/*
 * The claims of a token: which of them are missing, which values STS does not accept, whether the
 * audience is an expected one, and whether STS accepts the token now.
 */

type Claims = Readonly<Record<string, unknown>>;

/** The facts that the claims are compared with. */
export interface CheckContext {
  /** STS's time as far as it is known, in milliseconds since the epoch. */
  readonly now: number;
  /**
   * Whether a response of STS has shown that `now` is its time. If only this machine's clock says it, a
   * finding is `suspect`, and the token is sent.
   * @default true
   */
  readonly isVerified?: boolean | undefined;
  /** Whether STS has refused this token as expired: that counts if the clock is in doubt. */
  readonly isRefused?: boolean | undefined;
  /** How long the token must be valid, in seconds; if it expires sooner, there is advice. */
  readonly neededSeconds?: number | undefined;
  /** Audiences that are expected besides `sts.amazonaws.com`. */
  readonly audiences?: readonly string[] | undefined;
}

interface CheckedClaims {
  readonly findings: readonly Finding[];
  /** How long until STS accepts a token that is not valid yet, in milliseconds. */
  readonly validInMs?: number | undefined;
}

/** Checks the claims and their values, then the audience, then the times. */
export function checkClaims(claims: Claims, context: CheckContext): CheckedClaims {
  const times = checkTimes(claims, context);
  const findings = [
    ...checkPresence(claims),
    ...checkValues(claims),
    ...checkAudience(claims, context.audiences),
    ...times.findings,
  ];
  return { findings, validInMs: times.validInMs };
}

const TIMES = ["iat", "nbf", "exp"];

function checkPresence(claims: Claims): Finding[] {
  return STS_REQUIRED_CLAIMS.filter((claim) => claims[claim] === undefined).map(claimMissing);
}

function checkValues(claims: Claims): Finding[] {
  return Object.keys(claims).flatMap((claim) => {
    const problem = claimProblem(claim, claims);
    if (problem === undefined) return [];
    const { words, isObserved } = problem;
    const finding = claimInvalid(claim, words);
    return [isObserved ? finding : { ...finding, severity: "suspect" as const }];
  });
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
  return isUnusualInteger(value) ? unobserved(words) : observed(words);
}

/** Whether a value is a number beyond 64 bits, or an integer in another spelling. */
function isUnusualInteger(value: unknown): boolean {
  const hasDigits = typeof value === "number" || (typeof value === "string" && /\d/.test(value));
  const number = hasDigits ? Number(value) : Number.NaN;
  // JSON has no infinity: `1e400` is read as one.
  return Number.isInteger(number) || Math.abs(number) === Number.POSITIVE_INFINITY;
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
    detail: `The token has no \`${claim}\`; STS requires ${STS_REQUIRED_CLAIMS.join(", ")}.`,
    remedy:
      "Workload: use an ID token or a projected service account token, not an access token or a legacy Kubernetes secret.",
    evidence: { claim },
  };
}

function claimInvalid(claim: string, problem: string): Finding {
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
function checkAudience({ aud, azp }: Claims, expected: readonly string[] = []): Finding[] {
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter(
    (entry): entry is string => typeof entry === "string" && entry !== "",
  );
  if (audiences.length === 0) return [];
  if (audiences.length > 1 && azp === undefined) return [ambiguous(audiences)];
  const known = [DEFAULT_AUDIENCE, ...expected];
  if (typeof azp === "string") {
    // An empty one is not only unexpected: claimProblem() refuses it.
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
    remedy: `Workload: request a token with one audience, ${DEFAULT_AUDIENCE}. Or, IdP: add an \`azp\` that is a client ID of the IAM OIDC provider.`,
    evidence: { audiences: shown },
  };
}

function unexpected(audiences: readonly string[], known: readonly string[]): Finding {
  const shown = shownList(audiences);
  const base = {
    id: "token-audience-unexpected",
    severity: "advice",
    detail: `The token is for ${shown.join(", ")}; the expected audience is ${known.join(" or ")}.`,
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
    title: "STS compares the token's azp, and it is not the usual one.",
    detail: `The token has azp ${party} and aud ${shown.join(", ")}; STS compares azp, and the expected one is ${known.join(" or ")}.`,
    remedy: `AWS account: the IAM OIDC provider must list azp ${party} among its client IDs, and the role's trust policy must allow it as aud.`,
    evidence: { azp: party, audiences: shown, expected: known },
  };
}

function shownList(audiences: readonly string[]): string[] {
  return audiences.slice(0, 10).map((entry) => safeText(entry, 200));
}

/** With less than this left, the token may expire on the way to STS; in seconds. */
const SOON_SECONDS = 60;
const TOLERANCE = formatDuration(STS_TIME_TOLERANCE_SECONDS * 1000);

/** Whether STS accepts the token now, later or no longer. */
function checkTimes(claims: Claims, context: CheckContext): CheckedClaims {
  // A time that is missing or invalid has a finding of its own, and sets no limit here.
  const exp = seconds(claims.exp) ?? Number.POSITIVE_INFINITY;
  const start = Math.max(
    ...[claims.nbf, claims.iat].map((claim) => seconds(claim) ?? Number.NEGATIVE_INFINITY),
  );
  // STS tolerates 300 s at both ends: there may be a moment at which it accepts both times.
  if (start - exp >= 2 * STS_TIME_TOLERANCE_SECONDS) {
    const isOver = hasExpired(exp, context.now);
    const invalid = claimInvalid("exp", BACKWARDS);
    return { findings: [isOver ? expired(exp, context.now, "contradiction") : invalid] };
  }
  const { findings, validInMs } = compareWithClock(exp, start, context);
  return { findings: [...(exp < start ? [slightlyBackwards()] : []), ...findings], validInMs };
}

function compareWithClock(exp: number, start: number, context: CheckContext): CheckedClaims {
  const { now, isVerified = true, isRefused = false, neededSeconds = 0 } = context;
  if (!isVerified && isRefused) return { findings: [expired(exp, now, "refusal")] };
  if (hasExpired(exp, now)) {
    return { findings: [expired(exp, now, isVerified ? "sts" : "machine")] };
  }
  const early = start - STS_TIME_TOLERANCE_SECONDS - now / 1000;
  if (early > 0) {
    return { findings: [notYetValid(start, now, isVerified)], validInMs: early * 1000 };
  }
  const isSoon = exp - now / 1000 < Math.max(SOON_SECONDS, neededSeconds);
  return { findings: isSoon ? [expiresSoon(exp, now)] : [] };
}

/** STS refuses the token at exp + 300 s exactly: "must be before the expiration"; observed 2026-09. */
function hasExpired(exp: number, now: number): boolean {
  return now / 1000 - STS_TIME_TOLERANCE_SECONDS >= exp;
}

function slightlyBackwards(): Finding {
  const problem = "is before its `iat` or `nbf`, by less than STS tolerates";
  return { ...claimInvalid("exp", problem), severity: "suspect" };
}

/** Times that contradict each other by more than STS tolerates are wrong by any clock. */
const BACKWARDS = "is before its `iat` or `nbf`, which is wrong by any clock";

/** Precedes a time that only this machine's clock confirms. */
const UNVERIFIED = "By this machine's clock, which no response of STS has confirmed,";

/** What proves that a token has expired: its own times, STS's clock, STS's refusal, or only this machine's clock. */
type Proof = "contradiction" | "sts" | "refusal" | "machine";

function expired(exp: number, now: number, by: Proof): Finding {
  const secondsAgo = Math.round(now / 1000 - exp);
  const at = formatTime(exp * 1000, now);
  const since = `expired ${formatDuration(secondsAgo * 1000)} ago, at ${at}; STS tolerates ${TOLERANCE}.`;
  const details: Readonly<Record<Proof, string>> = {
    contradiction: `The token's \`exp\` ${BACKWARDS}.`,
    sts: `The token ${since}`,
    refusal: `STS has refused this token as expired; its exp is ${at}, and this machine's clock says ${formatTime(now, now)}.`,
    machine: `${UNVERIFIED} the token ${since}`,
  };
  return {
    id: "token-expired",
    severity: by === "machine" ? "suspect" : "fatal",
    title: by === "machine" ? "The token seems to have expired." : "The token has expired.",
    detail: details[by],
    remedy: EXPIRED_TOKEN_REMEDY,
    evidence: { exp, secondsAgo },
  };
}

function notYetValid(start: number, now: number, isVerified: boolean): Finding {
  const waitSeconds = Math.ceil(start - STS_TIME_TOLERANCE_SECONDS - now / 1000);
  const detail = `token is valid from ${formatTime(start * 1000, now)} (iat or nbf); STS accepts it in ${formatDuration(waitSeconds * 1000)}.`;
  return {
    id: "token-not-yet-valid",
    severity: isVerified ? "fatal" : "suspect",
    title: isVerified ? "The token is not valid yet." : "The token seems not to be valid yet.",
    detail: isVerified ? `The ${detail}` : `${UNVERIFIED} the ${detail}`,
    remedy:
      "IdP: correct the clock of the server that issues the tokens. Check this machine's clock too.",
    evidence: { validFrom: start, validInSeconds: waitSeconds },
  };
}

function expiresSoon(exp: number, now: number): Finding {
  const secondsLeft = Math.round(exp - now / 1000);
  const isOver = exp * 1000 <= now;
  const span = formatDuration(Math.abs(secondsLeft) * 1000);
  return {
    id: "token-expires-soon",
    severity: "advice",
    title: isOver
      ? "The token has expired, but STS still accepts it for a short time."
      : "The token is about to expire.",
    detail: isOver
      ? `The token expired ${span} ago, at ${formatTime(exp * 1000, now)}; STS tolerates ${TOLERANCE}.`
      : `The token expires in ${span}, which may be before the last retry.`,
    remedy:
      "Workload: pass a token source that issues a token for each attempt, or request tokens with a longer lifetime.",
    evidence: { secondsLeft },
  };
}
