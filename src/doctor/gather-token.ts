import { AttemptError } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import type { TokenSource } from "../model/token-source.js";
import { readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { fromFile } from "../runtime/token-file.js";
import { checkToken } from "../token/check.js";
import { seconds, tokenFacts } from "../token/facts.js";
import { loadToken } from "../token/token-source.js";
import {
  type DetectTokenSourceInit,
  detectTokenSource,
  matchingSources,
} from "../token-sources/detect.js";
import type { TokenReport } from "./facts.js";
import type { DiagnoseOptions } from "./options.js";
import { otherCredentials } from "./other-credentials.js";
import { type Run, round } from "./run.js";

/** How long a token source may take, in milliseconds. */
const TOKEN_LIMIT_MS = 5_000;

/** The token, or why there is none. It goes no further than the run. */
export type Loaded =
  | {
      readonly token: string;
      readonly source: string;
      /** About where it comes from. */
      readonly findings?: readonly Finding[];
      readonly isElsewhere?: undefined;
    }
  | {
      readonly token?: undefined;
      readonly source: string;
      readonly findings: readonly Finding[];
      /** The workload has credentials of another kind. */
      readonly isElsewhere?: boolean;
    };

/** Reads the token as the provider does. Rejects with nothing but the signal's reason. */
export async function gatherToken(
  run: Run,
  options: DiagnoseOptions,
  tokenFile: string | undefined,
): Promise<Loaded> {
  const place = await findToken(run, options, tokenFile);
  if ("source" in place) return place;
  const { clock } = run.runtime;
  const { read, name: source, findings: about = [] } = place;
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
        return { token: loaded, source, findings: about };
      } catch (error) {
        if (!(error instanceof AttemptError)) throw error;
        const { code, findings, message } = error.failure;
        measured(code ?? "unreadable");
        return { source, findings: findings ?? [unreadable(message)] };
      }
    },
  );
}

/** A place that has the token, and how it is read. */
interface TokenPlace {
  /** As it is named in messages: `the token file /var/run/…`. */
  readonly name: string;
  readonly read: TokenSource;
  readonly findings?: readonly Finding[];
}

/** The option, then the token file, then what else the environment names; or why there is nothing. */
async function findToken(
  { runtime: { clock, env, readMachineVendor } }: Run,
  { token, tokenSource, tokenFile: fileOption, audience }: DiagnoseOptions,
  tokenFile: string | undefined,
): Promise<TokenPlace | Loaded> {
  if (token !== undefined) return { name: "the token given", read: async () => token };
  // An audience is for a source that can choose it, or that compares it.
  if (tokenSource !== undefined || (audience !== undefined && fileOption === undefined)) {
    return detected({ source: tokenSource, audience, env });
  }
  if (tokenFile !== undefined) {
    if (!("problem" in decodeToken(tokenFile))) return { source: "none", findings: [NOT_A_PATH] };
    return { name: `the token file ${safeText(tokenFile)}`, read: fromFile(tokenFile, clock) };
  }
  const variable = readVariable(env, TOKEN_VARIABLE);
  if (variable !== undefined) {
    return { name: TOKEN_VARIABLE, read: async () => variable, findings: [VARIABLE_UNREAD] };
  }
  if (matchingSources(env).length > 0) return detected({ audience, env });
  const other = otherCredentials(env, await readMachineVendor?.());
  if (other !== undefined) return { source: "none", findings: [other], isElsewhere: true };
  return { source: "none", findings: [NOT_CONFIGURED] };
}

function detected(init: DetectTokenSourceInit): TokenPlace {
  const read = detectTokenSource(init);
  return { name: `the token source ${read.name}()`, read };
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
  const shown = (value: unknown) => (typeof value === "string" ? safeText(value, 200) : undefined);
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
  { token, findings = [] }: Loaded,
  now: number,
  isVerified: boolean,
): readonly Finding[] {
  if (token === undefined) return findings;
  return [...checkToken(token, { now, isVerified }).findings, ...findings];
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

/** No SDK reads it; build scripts put a token there to write it to a file. */
const TOKEN_VARIABLE = "AWS_WEB_IDENTITY_TOKEN";

const VARIABLE_UNREAD: Finding = {
  id: "token-variable-unread",
  severity: "advice",
  title: `No AWS SDK reads the token in ${TOKEN_VARIABLE}.`,
  detail: `${TOKEN_VARIABLE} is set, and no token file is; this run took the token from the variable.`,
  remedy: `Workload: write the token to a file and set AWS_WEB_IDENTITY_TOKEN_FILE to its path, or pass it to fromWebToken().`,
  evidence: { variable: TOKEN_VARIABLE },
};

const NOT_A_PATH: Finding = {
  ...NOT_CONFIGURED,
  title: "The path of the token file is a token.",
  detail: "The setting that names the token file holds a token.",
  remedy:
    "Workload: write the token to a file and set AWS_WEB_IDENTITY_TOKEN_FILE (or the option) to its path. Treat the token as leaked: it may be in logs.",
};
