import type { TokenFacts } from "../model/attempt.js";
import type { Finding } from "../model/findings.js";
import { decodeToken, malformedToken } from "../model/jwt.js";
import { STS_ALGORITHMS, STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { notAJwt } from "../model/token-shape.js";
import { safeText } from "../runtime/redact.js";
import { checkAudience } from "./check-audience.js";
import { checkClaims } from "./check-claims.js";
import { checkTimes, type TimeContext } from "./check-times.js";
import { tokenFacts } from "./facts.js";

/** What the checks need to know besides the token. */
export interface CheckContext extends TimeContext {
  /** Audiences that are fine besides `sts.amazonaws.com`. */
  readonly audiences?: readonly string[] | undefined;
}

export interface CheckedToken {
  readonly findings: readonly Finding[];
  /** Made when they are read: most refreshes need none. */
  readonly facts?: TokenFacts | undefined;
  /** How long until STS takes a token that is not valid yet, in milliseconds. */
  readonly validInMs?: number | undefined;
}

/**
 * Everything that makes STS certain to refuse a token, and what will hurt later, read off the token
 * alone. Pure: no network, no clock of its own.
 */
export function checkToken(token: string, context: CheckContext): CheckedToken {
  if (token.length > STS_MAX_TOKEN_LENGTH) {
    return { findings: [tooLarge(token.length)] };
  }
  const decoded = decodeToken(token);
  if ("problem" in decoded) {
    return { findings: [malformedToken(decoded, { length: token.length })] };
  }

  const times = checkTimes(decoded.claims, context);
  let facts: TokenFacts | undefined;
  return {
    findings: [
      ...checkHeader(decoded.header),
      ...checkClaims(decoded.claims),
      ...checkAudience(decoded.claims, context.audiences),
      ...times.findings,
    ],
    get facts() {
      facts ??= tokenFacts(decoded);
      return facts;
    },
    validInMs: times.validInMs,
  };
}

function checkHeader(header: Readonly<Record<string, unknown>>): Finding[] {
  const findings: Finding[] = [];
  if (typeof header.alg !== "string" || !STS_ALGORITHMS.includes(header.alg)) {
    const alg = typeof header.alg === "string" ? safeText(header.alg, 40) : typeof header.alg;
    findings.push({
      id: "token-algorithm-unsupported",
      severity: "fatal",
      title: "STS does not verify tokens signed with this algorithm.",
      detail: `The token's header says alg ${JSON.stringify(alg)}; STS accepts ${STS_ALGORITHMS.join(", ")}.`,
      remedy: "IdP: sign this client's tokens with RS256 or ES256.",
      evidence: { alg, supported: STS_ALGORITHMS },
    });
  }
  if (header.crit !== undefined) {
    findings.push(malformedToken(notAJwt("its header has `crit`, which STS does not accept")));
  }
  return findings;
}

function tooLarge(length: number): Finding {
  return {
    id: "token-too-large",
    severity: "fatal",
    title: "The token is longer than STS accepts.",
    detail: `${length} characters of the token were read; STS accepts at most ${STS_MAX_TOKEN_LENGTH}.`,
    remedy: "IdP: put fewer claims (groups, roles) into this client's tokens.",
    evidence: { length, maximum: STS_MAX_TOKEN_LENGTH },
  };
}
