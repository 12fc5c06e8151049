import { WebIdentityError } from "../model/errors.js";
import type { Failure, Verdict } from "../model/failure.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import { safeText } from "../runtime/redact.js";
import type { AttemptsFailed } from "./retry-loop.js";
import { sentenceFor } from "./sentences.js";

interface ExplainContext {
  readonly roleArn: string;
  readonly token: TokenFacts | undefined;
}

/** The error of a failed refresh: what failed, after how many attempts, and what to do. */
export function explain(
  outcome: AttemptsFailed,
  { roleArn, token }: ExplainContext,
): WebIdentityError {
  const { verdict, failure, attempts } = outcome;
  const fatal = firstFatal(failure.findings ?? []);
  const telling = fatal ?? failure.findings?.find((finding) => mayExplain(finding, verdict));
  const { code, what, remedy } = sentenceFor(failure, token);
  const message = [
    `${what}: ${words(failure, telling)}`,
    `(role ${safeText(roleArn)}${aboutToken(token)}${aboutAttempts(outcome)}).`,
  ].join(" ");
  return new WebIdentityError({
    code,
    message,
    hint: telling?.remedy ?? remedy,
    cause: failure.cause,
    attempts,
    token,
    findings: failure.findings,
    retryAfterMs: failure.retryAfterMs,
    about: telling?.id,
  });
}

/** Where STS has read the token and refused it, STS reached the issuer: only the key can explain that. */
function mayExplain({ id, severity }: Finding, verdict: Verdict): boolean {
  return (
    severity === "suspect" && (verdict !== "token-rejected" || /^jwks-(key-|inconsistent)/.test(id))
  );
}

/** A finding says more than the answer, and a local fault has no answer. */
function words(failure: Failure, finding: Finding | undefined): string {
  const said = failure.code === undefined ? failure.message : `${failure.code}: ${failure.message}`;
  if (finding === undefined) return said;
  const detail = finding.detail.replace(/\.$/, "");
  if (failure.kind !== "answer") return detail;
  return finding.severity === "fatal"
    ? `${detail}; STS said ${said}`
    : `${said}; seen from here: ${detail}`;
}

function aboutToken(token: TokenFacts | undefined): string {
  if (token === undefined) return "";
  const { issuer = "unknown", audience, azp, kid } = token;
  const shownAudience = audience?.length ? `, audience ${[audience].flat().join(" and ")}` : "";
  const shownParty = azp === undefined ? "" : `, azp ${azp}`;
  return `, issuer ${issuer}${shownAudience}${shownParty}, ${kid === undefined ? "no kid" : `kid ${kid || '""'}`}`;
}

function aboutAttempts({ attempts, elapsedMs }: AttemptsFailed): string {
  const seconds = (elapsedMs / 1000).toFixed(1);
  const count = attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`;
  const last = attempts.at(-1);
  const asked = new Set(attempts.flatMap(({ region }) => region ?? []));
  const region = asked.size === 0 ? "" : ` in ${[...asked].join(", ")}`;
  const request = last?.requestId === undefined ? "" : `, last request id ${last.requestId}`;
  return `, ${count} in ${seconds} s${region}${request}`;
}
