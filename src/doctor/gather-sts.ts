// Facts about STS: the endpoints that the SDK would call, the network path to each, and one real call.

import { AttemptError, type Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { ANNOTATE_SERVICE_ACCOUNT } from "../model/jwt.js";
import { type FetchProblem, guardedGet } from "../preflight/fetch-document.js";
import type { ResolveHost } from "../preflight/guarded-lookup.js";
import { proxyFor } from "../preflight/proxy.js";
import { DEFAULTS } from "../provider/options.js";
import { judge } from "../retry/verdict.js";
import { startLimit } from "../runtime/abort.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { parseHttpDate, roundMs } from "../runtime/time-text.js";
import { bareHostname } from "../runtime/url-host.js";
import { assumeRole, type IssuedCredentials } from "../sts/assume-role.js";
import { checkRequest, spanPartitions } from "../sts/check-request.js";
import { loadSdk } from "../sts/load-sdk.js";
import { type ResolvedEndpoint, resolveEndpoint } from "../sts/sts-client.js";
import { resolveTargets, type StsTarget } from "../sts/target.js";
import type { AssumeRoleFacts, EndpointFacts } from "./diagnosis.js";
import type { LoadedToken } from "./gather-token.js";
import type { ResolvedSettings } from "./options.js";
import { resolveName } from "./probe.js";
import { type Run, requestParts } from "./run.js";

/** An STS endpoint to measure: the region, and the URL to which the SDK would send its calls. */
interface ChosenTarget {
  readonly target: StsTarget;
  readonly endpoint: ResolvedEndpoint;
}

interface Chosen {
  readonly targets: readonly ChosenTarget[];
  readonly findings: readonly Finding[];
}

/** The limit of the choice, in milliseconds. The SDK is loaded, so only a file that hangs takes longer. */
const CHOICE_LIMIT_MS = 3_000;

/** Chooses the endpoints as the SDK does, those of the failover regions last; or finds why it can't. */
export async function chooseTargets({ sts }: ResolvedSettings, run: Run): Promise<Chosen> {
  const { endpoint } = sts.clientConfig;
  // The SDK reads `localhost:4566` as a URL with the scheme `localhost:`, and calls another host.
  if (typeof endpoint === "string" && !/^https?:\/\//i.test(endpoint)) {
    const shown = JSON.stringify(safeText(endpoint, 200));
    return { targets: [], findings: [noEndpoint(`${shown} is not an http or https URL`)] };
  }
  const chosen = await choose(sts, run);
  const regions = chosen.targets.map(({ target }) => target.region);
  if (spanPartitions(regions)) {
    throw new TypeError(
      `Expected \`failoverRegions\` to be of one AWS partition with the region ${regions[0]}.`,
    );
  }
  return chosen;
}

async function choose(sts: ResolvedSettings["sts"], run: Run): Promise<Chosen> {
  const { env, pool } = run.runtime;
  try {
    return await run.within({ limitMs: CHOICE_LIMIT_MS, late: filesAreLate }, async () => {
      const resolved = await resolveTargets(sts, undefined, env);
      const targets = resolved.map(async (target) => {
        const endpoint = await pool.use(target, ({ client }) => resolveEndpoint(client));
        return { target, endpoint };
      });
      return { targets: await Promise.all(targets), findings: [] };
    });
  } catch (error) {
    run.signal.throwIfAborted();
    return { targets: [], findings: [noEndpoint(safeCause(error).message)] };
  }
}

function filesAreLate(): Chosen {
  const problem =
    "the shared AWS files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, ~/.aws) were not read in time";
  return { targets: [], findings: [noEndpoint(problem)] };
}

function noEndpoint(problem: string): Finding {
  return {
    id: "sts-request-invalid",
    severity: "fatal",
    title: "The SDK finds no STS endpoint for these settings.",
    detail: `Choosing the endpoint failed: ${problem.replace(/\.$/, "")}.`,
    remedy:
      "Workload: correct the region, the endpoint URL, the FIPS and dual-stack settings or the profile's file.",
    evidence: { problem },
  };
}

/** The limit of a bare GET, in milliseconds. */
const ENDPOINT_LIMIT_MS = 6_000;

/** Measures the network path to one STS endpoint by a bare GET: any status counts as a response. */
export async function gatherEndpoint(
  run: Run,
  { target, endpoint }: ChosenTarget,
): Promise<EndpointFacts> {
  const { env } = run.runtime;
  const { region, regionSource, customEndpoint } = target;
  const { url, isGlobal, isFips, isDualStack, regionalHost } = endpoint;
  const { partition } = await loadSdk();
  // The SDK connects to STS directly, even if proxy variables are set. So does this request.
  const proxy = proxyFor(url, env);
  const known = {
    region,
    regionSource: sourceName(regionSource),
    url: url.href,
    host: url.host,
    kind: isGlobal ? "global" : customEndpoint ? "custom" : "regional",
    ...(isGlobal && { regionalHost }),
    isFips,
    isDualStack,
    partition: partition(region).name,
    ...(proxy && { proxy: `${proxy.protocol}//${proxy.host}` }),
  } as const;
  const step = {
    step: "sts-endpoint",
    label: `connecting to STS in ${region}`,
    // Longer than the limit of the request, which shows in which part it hung.
    limitMs: ENDPOINT_LIMIT_MS + 500,
    late: () => ({
      ...known,
      addresses: [],
      isPrivate: false,
      totalMs: ENDPOINT_LIMIT_MS,
      failedIn: "response" as const,
      error: "timeout",
    }),
  } as const;
  return await run.step<EndpointFacts>(step, async (signal) => {
    const limits = { resolve: stsResolver(run), limitMs: ENDPOINT_LIMIT_MS, signal };
    const [{ addresses }, probed] = await Promise.all([
      resolveName(run, bareHostname(url), limits),
      probe(run, endpoint.url, { region, signal }),
    ]);
    const isPrivate = addresses.some(({ isPublic }) => !isPublic);
    return { ...known, addresses, isPrivate, ...probed };
  });
}

/** Names two sources of a region as options, which they are for the doctor. */
export function sourceName(source: StsTarget["regionSource"]): string {
  return source === "region" || source === "failoverRegions" ? "option" : source;
}

/** The resolver for STS, which a resolver that hangs on an issuer's name must not delay. */
function stsResolver({ runtime }: Run): ResolveHost {
  return runtime.resolveSts ?? runtime.resolve;
}

async function probe(
  run: Run,
  url: URL,
  { region, signal }: { readonly region: string; readonly signal: AbortSignal },
) {
  const { clock, env, ca } = run.runtime;
  // Ends shortly before the run does: the end of the run would not show in which part the request hung.
  const leftMs = Math.max(0, run.deadline.remainingMs() - 100);
  const timeoutMs = Math.min(ENDPOINT_LIMIT_MS, leftMs);
  const limit = startLimit({ clock, signal, timeoutMs, reason: new Error("time is up") });
  const startMs = run.elapsedMs();
  const outcome = await guardedGet(url, {
    transport: { env, resolve: stsResolver(run), ca },
    reach: "any",
    proxy: undefined,
    clock,
    signal: limit.signal,
  });
  limit.end();
  const { headers, tlsProtocol, certificate, status, firstByteMs, totalMs } = outcome.timing;
  // A page that is too long or compressed counts as a response. One that does not end does not.
  const isResponse = status !== undefined && !("problem" in outcome && isTimeout(outcome.problem));
  const problem = !isResponse && "problem" in outcome ? outcome.problem : undefined;
  const parts = { ...requestParts(outcome.timing), ...(!problem && { error: undefined }) };
  run.timings.push({
    step: "sts-endpoint",
    party: "sts",
    label: `STS in ${region}`,
    url: url.href,
    startMs,
    ...parts,
  });
  return {
    ...parts,
    tlsProtocol,
    certificate,
    ...(problem && { failedIn: partOf(problem) }),
    ...(headers.date !== undefined && {
      clockSkewMs: skew(headers.date, clock.now() - (totalMs - (firstByteMs ?? totalMs))),
    }),
  };
}

function isTimeout({ kind }: FetchProblem): boolean {
  return kind === "timeout";
}

function partOf(problem: FetchProblem): NonNullable<EndpointFacts["failedIn"]> {
  if (problem.kind === "tls") return "tls";
  const phase = "phase" in problem ? problem.phase : undefined;
  return phase === "dns" || phase === "connect" || phase === "tls" ? phase : "response";
}

/** The skew by a `Date`. It has whole seconds, rounded down, so half a second is added. */
function skew(date: string, now: number): number | undefined {
  const at = parseHttpDate(date, now);
  return at === undefined ? undefined : roundMs(at + 500 - now);
}

/** Checks the request before it is sent. */
export async function requestFindings(
  settings: ResolvedSettings,
  target: StsTarget,
  { isElsewhere = false }: LoadedToken,
): Promise<Finding[]> {
  // A workload that uses credentials of another kind needs no role.
  if (settings.roleArn === undefined) return isElsewhere ? [] : [NO_ROLE];
  return await checkRequest(requestOf(settings), target);
}

const NO_ROLE: Finding = {
  id: "role-arn-invalid",
  severity: "fatal",
  title: "No role is configured.",
  detail: "There is neither an option that names the role nor AWS_ROLE_ARN.",
  remedy: `Workload: set AWS_ROLE_ARN; on EKS, ${ANNOTATE_SERVICE_ACCOUNT}.`,
  evidence: { variable: "AWS_ROLE_ARN" },
};

function requestOf({ roleArn = "", roleSessionName, durationSeconds }: ResolvedSettings) {
  return {
    RoleArn: roleArn,
    RoleSessionName: roleSessionName,
    ...(durationSeconds !== undefined && { DurationSeconds: durationSeconds }),
  };
}

interface Assumed {
  readonly facts: AssumeRoleFacts;
  /** Absent when the call succeeded. */
  readonly failure?: Failure | undefined;
}

interface CallOptions {
  readonly token: string;
  readonly settings: ResolvedSettings;
  readonly target: StsTarget;
}

/** The limit of the call, in milliseconds: the provider's default for one attempt. */
const CALL_LIMIT_MS = DEFAULTS.attemptTimeoutMs;

/** Makes one real AssumeRoleWithWebIdentity call, and drops its credentials immediately. */
export async function gatherAssumeRole(
  run: Run,
  { token, settings, target }: CallOptions,
): Promise<Assumed> {
  const { pool } = run.runtime;
  const { region } = target;
  const startMs = run.elapsedMs();
  const step = {
    step: "assume-role",
    label: `assuming the role in ${region}`,
    limitMs: CALL_LIMIT_MS + 500,
    late: () => cutShort(region),
  } as const;
  const outcome = await run.step<Failure | IssuedCredentials>(step, async (signal) => {
    const input = { ...requestOf(settings), WebIdentityToken: token };
    const { deadline } = run;
    try {
      return await assumeRole(input, { target, pool, signal, timeoutMs: CALL_LIMIT_MS, deadline });
    } catch (error) {
      if (error instanceof AttemptError) return error.failure;
      throw error;
    }
  });
  const issued = "credentials" in outcome ? outcome : undefined;
  const failure = "credentials" in outcome ? undefined : outcome;
  const { code, message, httpStatus, requestId } = failure ?? {};
  const ms = roundMs(run.elapsedMs() - startMs);
  run.timings.push({
    step: "assume-role",
    party: "sts",
    label: `AssumeRoleWithWebIdentity in ${region}`,
    startMs,
    totalMs: ms,
    status: failure === undefined ? 200 : httpStatus,
    error: failure?.httpStatus === undefined ? code : undefined,
  });
  return {
    facts: {
      region,
      outcome: failure === undefined ? "ok" : judge(failure),
      code,
      message,
      httpStatus,
      requestId,
      ms,
      expiresAt: issued?.credentials.expiration?.toISOString(),
      rejectedDate: issued?.rejectedDate,
    },
    failure,
  };
}

function cutShort(region: string): Failure {
  return {
    kind: "timeout",
    code: "TimeoutError",
    message: "no response from STS before the run ended",
    cutShort: true,
    region,
  };
}
