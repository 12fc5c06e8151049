import { createHash } from "node:crypto";
import type { Finding } from "../model/findings.js";
import {
  type DecodedToken,
  decodeToken,
  malformedToken,
  notAJwt,
  recognizedShape,
  type TokenFacts,
} from "../model/jwt.js";
import {
  SESSION_TAGS_CLAIM,
  SOURCE_IDENTITY_CLAIM,
  STS_ALGORITHMS,
  STS_MAX_TOKEN_LENGTH,
} from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { type CheckContext, checkClaims, seconds } from "./check-claims.js";

/*
 * This folder reads a token from its source (`load-token.ts`), and checks its form (this file) and its
 * claims (`check-claims.ts`).
 */

export interface CheckedToken {
  readonly findings: readonly Finding[];
  /** Computed when they are first read: most refreshes need none. */
  readonly facts?: TokenFacts | undefined;
  /** How long until STS accepts a token that is not valid yet, in milliseconds. */
  readonly validInMs?: number | undefined;
}

/**
 * Checks a token by itself: what STS certainly refuses, what it probably refuses, and what may fail
 * later. Pure: no network, no clock of its own.
 */
export function checkToken(token: string, context: CheckContext): CheckedToken {
  const { length } = token;
  if (length > STS_MAX_TOKEN_LENGTH) {
    // A bundle of certificates is not a token with too many claims.
    const other = recognizedShape(token.slice(0, STS_MAX_TOKEN_LENGTH));
    return { findings: [other ? malformedToken(other, { length }) : tooLarge(length)] };
  }
  const decoded = decodeToken(token);
  if ("problem" in decoded) {
    return { findings: [malformedToken(decoded, { length })] };
  }

  const { findings, validInMs } = checkClaims(decoded.claims, context);
  let facts: TokenFacts | undefined;
  return {
    findings: [...checkHeader(decoded.header), ...findings],
    get facts() {
      facts ??= tokenFacts(decoded);
      return facts;
    },
    validInMs,
  };
}

function checkHeader(header: Readonly<Record<string, unknown>>): Finding[] {
  const findings: Finding[] = [];
  if (!STS_ALGORITHMS.some((supported) => supported === header.alg)) {
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

const MAX_AUDIENCES = 10;
const MAX_CLAIM_LENGTH = 200;

/** The facts of a token that may be reported: they identify its issuer and key, never its subject. */
export function tokenFacts({ header, claims }: DecodedToken): TokenFacts {
  return {
    issuer: shown(claims.iss),
    audience: shownAudience(claims.aud),
    azp: shown(claims.azp),
    kid: shown(header.kid),
    alg: shown(header.alg),
    iat: seconds(claims.iat),
    exp: seconds(claims.exp),
    ...(hasClaim(claims, SESSION_TAGS_CLAIM) && { hasSessionTags: true }),
    ...(hasClaim(claims, SOURCE_IDENTITY_CLAIM) && { hasSourceIdentity: true }),
    subjectHash: subjectHash(claims.sub),
  };
}

/** Nested, or flattened. */
function hasClaim(claims: DecodedToken["claims"], name: string): boolean {
  return Object.keys(claims).some((claim) => claim === name || claim.startsWith(`${name}/`));
}

function shown(value: unknown): string | undefined {
  return typeof value === "string" ? safeText(value, MAX_CLAIM_LENGTH) : undefined;
}

function shownAudience(value: unknown): string | readonly string[] | undefined {
  if (!Array.isArray(value)) return shown(value);
  return value.slice(0, MAX_AUDIENCES).flatMap((entry) => shown(entry) ?? []);
}

function subjectHash(sub: unknown): string | undefined {
  if (typeof sub !== "string" && typeof sub !== "number") return undefined;
  return createHash("sha256").update(String(sub)).digest("hex").slice(0, 16);
}
