import { AttemptError } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { printable, safeText } from "../runtime/redact.js";
import { fromFile } from "../runtime/token-file.js";
import { checkToken } from "../token/check.js";
import { seconds, tokenFacts } from "../token/facts.js";
import { loadToken } from "../token/token-source.js";
import type { TokenReport } from "./facts.js";
import { type Run, round } from "./run.js";

/** How long a token source may take, in milliseconds. */
const TOKEN_LIMIT_MS = 5_000;

/** The token, or why there is none. It goes no further than the run. */
export type Loaded =
  | { readonly token: string; readonly source: string }
  | { readonly token?: undefined; readonly source: string; readonly findings: readonly Finding[] };

/** Reads the token as the provider does. Rejects with nothing but the signal's reason. */
export async function gatherToken(
  run: Run,
  given: { readonly token: string | undefined; readonly tokenFile: string | undefined },
): Promise<Loaded> {
  const { token, tokenFile } = given;
  const { clock } = run.runtime;
  if (token === undefined && tokenFile === undefined) {
    return { source: "none", findings: [NOT_CONFIGURED] };
  }
  if (token === undefined && !("problem" in decodeToken(tokenFile ?? ""))) {
    return { source: "none", findings: [NOT_A_PATH] };
  }
  const source =
    token === undefined ? `the token file ${safeText(tokenFile ?? "")}` : "the token given";
  const read = token === undefined ? fromFile(tokenFile ?? "", clock) : async () => token;
  const startMs = run.elapsedMs();
  const measured = (error?: string) => {
    const totalMs = round(run.elapsedMs() - startMs);
    run.timings.push({ step: "token", party: "token", label: "token", startMs, totalMs, error });
  };
  const late: Loaded = { source, findings: [unreadable(`${source} gave no token in time`)] };
  return await run.step<Loaded>(
    "token",
    "reading the token",
    TOKEN_LIMIT_MS + 500,
    late,
    async (signal) => {
      try {
        const loaded = await loadToken(read, {
          name: source,
          timeoutMs: TOKEN_LIMIT_MS,
          clock,
          signal,
          attempt: 1,
        });
        measured();
        return { token: loaded, source };
      } catch (error) {
        if (!(error instanceof AttemptError)) throw error;
        const { code, findings, message } = error.failure;
        measured(code ?? "unreadable");
        return { source, findings: findings ?? [unreadable(message)] };
      }
    },
  );
}

/** What can be told of the token, at the time `now`. */
export function reportToken(
  { source, token }: Loaded,
  now: number,
  isRedacted: boolean,
): TokenReport {
  if (token === undefined) return { source };
  const decoded =
    token.length > STS_MAX_TOKEN_LENGTH ? { problem: "too large" } : decodeToken(token);
  const length = token.length;
  if ("problem" in decoded) return { source, length };
  const { claims } = decoded;
  const facts = tokenFacts(decoded);
  const { exp, iat } = facts;
  const shown = (value: unknown) => (typeof value === "string" ? printable(value, 200) : undefined);
  return {
    ...facts,
    source,
    length,
    ...(!isRedacted && { subject: shown(claims.sub) }),
    notBefore: seconds(claims.nbf),
    secondsLeft: exp === undefined ? undefined : Math.round(exp - now / 1000),
    lifetimeSeconds: exp === undefined || iat === undefined ? undefined : exp - iat,
  };
}

/** What the token alone tells, at the time `now`, which STS may not have confirmed. */
export function tokenFindings(
  loaded: Loaded,
  now: number,
  isVerified: boolean,
): readonly Finding[] {
  return loaded.token === undefined
    ? loaded.findings
    : checkToken(loaded.token, { now, isVerified }).findings;
}

function unreadable(detail: string): Finding {
  return { ...NOT_CONFIGURED, title: "There is no token to send.", detail, evidence: {} };
}

const NOT_CONFIGURED: Finding = {
  id: "token-unreadable",
  severity: "fatal",
  title: "No token file is configured.",
  detail: "There is neither an option that names the token nor AWS_WEB_IDENTITY_TOKEN_FILE.",
  remedy:
    "Workload: set AWS_WEB_IDENTITY_TOKEN_FILE; on EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod.",
  evidence: { variable: "AWS_WEB_IDENTITY_TOKEN_FILE" },
};

const NOT_A_PATH: Finding = {
  ...NOT_CONFIGURED,
  title: "A token stands where the path of its file belongs.",
  detail: "What names the token's file is a token itself.",
  remedy:
    "Workload: write the token to a file and set AWS_WEB_IDENTITY_TOKEN_FILE (or the option) to its path. Treat the token as told: it may be in logs.",
};
