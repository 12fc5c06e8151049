import type { Finding } from "../model/findings.js";
import { STS_TIME_TOLERANCE_SECONDS } from "../model/sts-limits.js";
import { seconds } from "./facts.js";

/** Less than this is left: the token may die on the way. */
const SOON_SECONDS = 60;

/** What the times are compared with. */
export interface TimeContext {
  /** STS's time as far as it is known, in milliseconds since the epoch. */
  readonly now: number;
  /** How long the token must last, in seconds: less than that is worth an advice. */
  readonly neededSeconds?: number | undefined;
}

interface TimesChecked {
  readonly findings: Finding[];
  readonly validInMs?: number;
}

/** Whether STS takes the token now, later or never again. */
export function checkTimes(
  claims: Readonly<Record<string, unknown>>,
  { now, neededSeconds = SOON_SECONDS }: TimeContext,
): TimesChecked {
  const nowSeconds = now / 1000;
  const exp = seconds(claims.exp);
  // STS refuses the token at exp + 300 s exactly: "must be before the expiration".
  if (exp !== undefined && nowSeconds - STS_TIME_TOLERANCE_SECONDS >= exp) {
    return { findings: [expired(exp, nowSeconds)] };
  }
  const start = Math.max(seconds(claims.nbf) ?? 0, seconds(claims.iat) ?? 0);
  const early = start - STS_TIME_TOLERANCE_SECONDS - nowSeconds;
  if (early > 0) return { findings: [notYetValid(start, early)], validInMs: early * 1000 };

  const left = exp === undefined ? Number.POSITIVE_INFINITY : exp - nowSeconds;
  const soon = left < Math.max(SOON_SECONDS, neededSeconds);
  return { findings: soon ? [expiresSoon(left)] : [] };
}

function expired(exp: number, nowSeconds: number): Finding {
  const ago = Math.round(nowSeconds - exp);
  return {
    id: "token-expired",
    severity: "fatal",
    title: "The token has expired.",
    detail: `The token expired ${ago} s ago (exp ${exp}); STS tolerates ${STS_TIME_TOLERANCE_SECONDS} s.`,
    remedy:
      "Workload: get a new token, and find out why the old one was not replaced in time. Check this machine's clock too.",
    evidence: { exp, secondsAgo: ago },
  };
}

function notYetValid(start: number, early: number): Finding {
  const seconds = Math.ceil(early);
  return {
    id: "token-not-yet-valid",
    severity: "fatal",
    title: "The token is not valid yet.",
    detail: `The token's iat or nbf is ${start}; STS takes it in ${seconds} s.`,
    remedy: "IdP: set the clock that stamps the tokens. Check this machine's clock too.",
    evidence: { validFrom: start, validInSeconds: seconds },
  };
}

function expiresSoon(left: number): Finding {
  const seconds = Math.round(left);
  const isOver = left <= 0;
  return {
    id: "token-expires-soon",
    severity: "advice",
    title: isOver
      ? "The token has expired, and STS still takes it for a moment."
      : "The token is about to expire.",
    detail: isOver
      ? `The token expired ${-seconds} s ago; STS tolerates ${STS_TIME_TOLERANCE_SECONDS} s.`
      : `The token expires in ${seconds} s, which may be before the last retry.`,
    remedy:
      "Workload: pass a source that mints a token for every attempt, or ask for a longer life.",
    evidence: { secondsLeft: seconds },
  };
}
