// Facts about the token: its source and its contents, or the other credentials of a workload without one.

import { readFile } from "node:fs/promises";
import { AttemptError } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { ANNOTATE_SERVICE_ACCOUNT, decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import type { TokenSource } from "../model/token-source.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { roundMs } from "../runtime/time-text.js";
import { fromFile } from "../runtime/token-file.js";
import { checkToken, tokenFacts } from "../token/check.js";
import { seconds } from "../token/check-claims.js";
import { loadToken } from "../token/load-token.js";
import {
  type DetectTokenSourceInit,
  detectTokenSource,
  matchingSources,
} from "../token-sources/detect.js";
import type { TokenReport } from "./diagnosis.js";
import type { DiagnoseOptions } from "./options.js";
import type { Run } from "./run.js";

/** The limit of the token source, in milliseconds. */
const TOKEN_LIMIT_MS = 5_000;

/** The token, or why there is none. The token never leaves the run. */
export type LoadedToken =
  | {
      readonly token: string;
      readonly source: string;
      /** Findings about the source of the token. */
      readonly findings?: readonly Finding[];
      readonly isElsewhere?: undefined;
    }
  | {
      readonly token?: undefined;
      readonly source: string;
      readonly findings: readonly Finding[];
      /** Whether the workload has credentials of another kind. */
      readonly isElsewhere?: boolean;
    };

/** Reads the token as the provider does. Rejects only with the signal's reason. */
export async function gatherToken(
  run: Run,
  options: DiagnoseOptions,
  tokenFile: string | undefined,
): Promise<LoadedToken> {
  const place = await findToken(run, options, tokenFile);
  if ("source" in place) return place;
  const { clock } = run.runtime;
  const { read, name: source, findings: about = [] } = place;
  const startMs = run.elapsedMs();
  const record = (error?: string) => {
    const totalMs = roundMs(run.elapsedMs() - startMs);
    run.timings.push({ step: "token", party: "token", label: "token", startMs, totalMs, error });
  };
  const step = {
    step: "token",
    label: "reading the token",
    limitMs: TOKEN_LIMIT_MS + 500,
    late: () => ({
      source,
      findings: [unreadable(`Reading ${source} took longer than ${TOKEN_LIMIT_MS / 1000} s.`)],
    }),
  } as const;
  return await run.step<LoadedToken>(step, async (signal) => {
    try {
      const loaded = await loadToken(read, {
        name: source,
        timeoutMs: TOKEN_LIMIT_MS,
        clock,
        signal,
        attempt: 1,
      });
      record();
      return { token: loaded, source, findings: about };
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      const { code, findings, message } = error.failure;
      record(code ?? "unreadable");
      return { source, findings: findings ?? [unreadable(message)] };
    }
  });
}

/** Where the token is, and the function that reads it. */
interface TokenPlace {
  /** Its name in messages: `the token file /var/run/…`. */
  readonly name: string;
  readonly read: TokenSource;
  readonly findings?: readonly Finding[];
}

/** Finds the token: the option, then the token file, then any other source that the environment names. */
async function findToken(
  { runtime: { clock, env, readMachineVendor } }: Run,
  { token, tokenSource, tokenFile: fileOption, audience }: DiagnoseOptions,
  tokenFile: string | undefined,
): Promise<TokenPlace | LoadedToken> {
  if (token !== undefined) return { name: "the token given", read: async () => token };
  // Only a token source can request or compare an audience.
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

/** The facts about the token at the time `now`. */
export function reportToken(
  { source, token }: LoadedToken,
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

/**
 * The findings about the token at the time `now`.
 *
 * @param isVerified - whether STS has confirmed that time.
 */
export function tokenFindings(
  { token, findings = [] }: LoadedToken,
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
  remedy: `Workload: set AWS_WEB_IDENTITY_TOKEN_FILE; on EKS, ${ANNOTATE_SERVICE_ACCOUNT}.`,
  evidence: { variable: "AWS_WEB_IDENTITY_TOKEN_FILE" },
};

/** No SDK reads it. Build scripts put a token there and write it to a file later. */
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
  detail: "The setting that names the token file contains a token.",
  remedy:
    "Workload: write the token to a file and set AWS_WEB_IDENTITY_TOKEN_FILE (or the option) to its path. Treat the token as leaked: it may be in logs.",
};

/** A source of credentials that does not use web identity. */
interface OtherCredentials {
  /** The name of the source, as the end of a sentence: `EKS Pod Identity`. */
  readonly from: string;
  /** The evidence that the workload uses it. */
  readonly evidence: string;
  readonly remedy: string;
}

const KEEP =
  "Workload: nothing has to change if the service uses the SDK's default chain; fromTokenFile() does not apply here.";
const USE_IRSA =
  "To use web identity on EKS, annotate the service account with eks.amazonaws.com/role-arn, remove its Pod Identity association and restart the pod.";

/** The agent's addresses (Amazon EKS User Guide, "Understand how EKS Pod Identity works"). */
const POD_IDENTITY_HOSTS: readonly string[] = ["169.254.170.23", "[fd00:ec2::23]"];

/** The file in which the firmware of an EC2 instance names its vendor (EC2 User Guide, "Identify EC2 instances"). */
const VENDOR_FILE = "/sys/devices/virtual/dmi/id/sys_vendor";

/** The vendor that this machine's firmware names. */
export async function readMachineVendor(): Promise<string | undefined> {
  return await readFile(VENDOR_FILE, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}

/**
 * Finds the other credentials that the environment names, in the order of the SDK's default chain. Sends
 * no request: that an EC2 instance has a role is only a guess.
 */
function otherCredentials(env: Environment, vendor: string | undefined): Finding | undefined {
  const other = fromEnvironment(env) ?? fromMachine(env, vendor);
  if (other === undefined) return undefined;
  return {
    id: "token-unreadable",
    severity: "fatal",
    title: `This workload gets its credentials from ${other.from}; web identity is not in use.`,
    detail: `${other.evidence}, and nothing names a web identity token.`,
    remedy: other.remedy,
    evidence: { credentialsFrom: other.from },
  };
}

function fromEnvironment(env: Environment): OtherCredentials | undefined {
  if (readVariable(env, "AWS_ACCESS_KEY_ID") !== undefined) {
    const isLambda = readVariable(env, "AWS_LAMBDA_FUNCTION_NAME") !== undefined;
    const from = isLambda
      ? "the execution role of its Lambda function"
      : "access keys in its environment";
    return { from, evidence: "AWS_ACCESS_KEY_ID is set", remedy: KEEP };
  }
  if (readVariable(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") !== undefined) {
    const evidence = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set";
    return { from: "its ECS task role", evidence, remedy: KEEP };
  }
  const url = readVariable(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (url === undefined) return undefined;
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  const evidence = `AWS_CONTAINER_CREDENTIALS_FULL_URI names ${safeText(host, 100) || "no URL"}`;
  return POD_IDENTITY_HOSTS.includes(host)
    ? { from: "EKS Pod Identity", evidence, remedy: `${KEEP} ${USE_IRSA}` }
    : { from: "a container credentials endpoint", evidence, remedy: KEEP };
}

function fromMachine(env: Environment, vendor: string | undefined): OtherCredentials | undefined {
  if (vendor !== "Amazon EC2") return undefined;
  const evidence = "This machine is an EC2 instance (its instance metadata was not requested)";
  if (readVariable(env, "KUBERNETES_SERVICE_HOST") === undefined) {
    return { from: "its EC2 instance role, if it has one", evidence, remedy: KEEP };
  }
  const remedy = `Workload: to use web identity on EKS, ${ANNOTATE_SERVICE_ACCOUNT}; until then the pod has its node's role, where the node lets pods reach its metadata.`;
  return { from: "the EC2 instance role of its node, if the node allows that", evidence, remedy };
}
