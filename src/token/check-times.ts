import type { Finding } from "../model/findings.js";
import { STS_TIME_TOLERANCE_SECONDS } from "../model/sts-limits.js";
import { formatDuration, formatTime } from "../runtime/time-text.js";
import { claimInvalid, seconds } from "./check-claims.js";

/** With less than this left, the token may expire on the way to STS; in seconds. */
const SOON_SECONDS = 60;
const TOLERANCE = formatDuration(STS_TIME_TOLERANCE_SECONDS * 1000);

/** What the times are compared with. */
export interface TimeContext {
  /** STS's time as far as it is known, in milliseconds since the epoch. */
  readonly now: number;
  /**
   * Whether an answer of STS has shown that `now` is its time. If only this machine's clock says it, a
   * finding is `suspect`, and the token is sent.
   * @default true
   */
  readonly isVerified?: boolean | undefined;
  /** Whether STS has refused this token as expired: that counts if the clock is in doubt. */
  readonly isRefused?: boolean | undefined;
  /** How long the token must last, in seconds; otherwise a finding advises of it. */
  readonly neededSeconds?: number | undefined;
}

interface TimesChecked {
  readonly findings: Finding[];
  readonly validInMs?: number;
}

/** Whether STS accepts the token now, later or no longer. */
export function checkTimes(
  claims: Readonly<Record<string, unknown>>,
  context: TimeContext,
): TimesChecked {
  const { now } = context;
  const exp = seconds(claims.exp);
  const starts = [claims.nbf, claims.iat].map((claim) => seconds(claim) ?? -Infinity);
  const start = Math.max(...starts);
  const hasExpired = isExpired(exp, now);
  const isBackwards = exp !== undefined && exp < start;
  // With STS's tolerance at both ends, some moment may satisfy both.
  if (isBackwards && start - exp >= 2 * STS_TIME_TOLERANCE_SECONDS) {
    return { findings: [backwards(exp, now, hasExpired)] };
  }
  const odd: Finding[] = isBackwards ? [slightlyBackwards()] : [];
  const { findings, ...rest } = checkAgainstClock(exp, start, context);
  return { findings: [...odd, ...findings], ...rest };
}

/** Compares times that can be right with the clock. */
function checkAgainstClock(
  exp: number | undefined,
  start: number,
  context: TimeContext,
): TimesChecked {
  const { now, isVerified = true, isRefused = false } = context;
  const hasExpired = isExpired(exp, now);
  if (exp !== undefined && hasExpired && isVerified)
    return { findings: [expired(exp, now, "sts")] };
  if (exp !== undefined && !isVerified && isRefused)
    return { findings: [expired(exp, now, "refusal")] };
  if (exp !== undefined && hasExpired) return { findings: [expired(exp, now, "machine")] };

  const early = start - STS_TIME_TOLERANCE_SECONDS - now / 1000;
  if (early > 0) {
    return { findings: [notYetValid(start, now, isVerified)], validInMs: early * 1000 };
  }
  const left = exp === undefined ? Number.POSITIVE_INFINITY : exp - now / 1000;
  const soon = left < Math.max(SOON_SECONDS, context.neededSeconds ?? SOON_SECONDS);
  return { findings: soon && exp !== undefined ? [expiresSoon(exp, now)] : [] };
}

/** STS refuses the token at exp + 300 s exactly: "must be before the expiration"; observed 2026-09. */
function isExpired(exp: number | undefined, now: number): boolean {
  return exp !== undefined && now / 1000 - STS_TIME_TOLERANCE_SECONDS >= exp;
}

function slightlyBackwards(): Finding {
  const problem = "is before its `iat` or `nbf`, by less than STS tolerates";
  return { ...claimInvalid("exp", problem), severity: "suspect" };
}

/** Times that contradict each other by more than STS tolerates are wrong by any clock. */
function backwards(exp: number, now: number, hasExpired: boolean): Finding {
  const invalid = claimInvalid("exp", "is before its `iat` or `nbf`, which is wrong by any clock");
  return hasExpired ? { ...expired(exp, now, "sts"), detail: invalid.detail } : invalid;
}

/** Precedes a time that only this machine's clock confirms. */
const UNVERIFIED = "By this machine's clock, which no answer of STS has confirmed,";

/** @param by - what shows it: STS's clock, STS's refusal of the token, or only this machine's clock. */
function expired(exp: number, now: number, by: "sts" | "refusal" | "machine"): Finding {
  const secondsAgo = Math.round(now / 1000 - exp);
  const at = formatTime(exp * 1000, now);
  const since = `expired ${formatDuration(secondsAgo * 1000)} ago, at ${at}; STS tolerates ${TOLERANCE}.`;
  const details = {
    sts: `The token ${since}`,
    refusal: `STS has refused this token as expired; its exp is ${at}, and this machine's clock says ${formatTime(now, now)}.`,
    machine: `${UNVERIFIED} the token ${since}`,
  };
  return {
    id: "token-expired",
    severity: by === "machine" ? "suspect" : "fatal",
    title: by === "machine" ? "The token seems to have expired." : "The token has expired.",
    detail: details[by],
    remedy:
      "Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.",
    evidence: { exp, secondsAgo },
  };
}

function notYetValid(start: number, now: number, isVerified: boolean): Finding {
  const seconds = Math.ceil(start - STS_TIME_TOLERANCE_SECONDS - now / 1000);
  const detail = `token is valid from ${formatTime(start * 1000, now)} (iat or nbf); STS accepts it in ${formatDuration(seconds * 1000)}.`;
  return {
    id: "token-not-yet-valid",
    severity: isVerified ? "fatal" : "suspect",
    title: isVerified ? "The token is not valid yet." : "The token seems not to be valid yet.",
    detail: isVerified ? `The ${detail}` : `${UNVERIFIED} the ${detail}`,
    remedy: "IdP: set the clock that stamps the tokens. Check this machine's clock too.",
    evidence: { validFrom: start, validInSeconds: seconds },
  };
}

function expiresSoon(exp: number, now: number): Finding {
  const seconds = Math.round(exp - now / 1000);
  const isOver = exp * 1000 <= now;
  const span = formatDuration(Math.abs(seconds) * 1000);
  return {
    id: "token-expires-soon",
    severity: "advice",
    title: isOver
      ? "The token has expired, and STS still accepts it for a moment."
      : "The token is about to expire.",
    detail: isOver
      ? `The token expired ${span} ago, at ${formatTime(exp * 1000, now)}; STS tolerates ${TOLERANCE}.`
      : `The token expires in ${span}, which may be before the last retry.`,
    remedy:
      "Workload: pass a source that mints a token for every attempt, or ask for a longer life.",
    evidence: { secondsLeft: seconds },
  };
}
