import type { Finding } from "../model/findings.js";
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { discoveryUrl } from "../preflight/issuer-url.js";
import { reachOf } from "../preflight/reach.js";
import type { Clock } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";
import { checkRequest } from "../sts/check-request.js";
import type { ServerClock } from "../sts/server-clock.js";
import type { StsTarget } from "../sts/target.js";
import { chooseTargets } from "./choose-targets.js";
import type { IssuerFacts, Setting } from "./facts.js";
import { type Assumed, gatherAssumeRole } from "./gather-assume-role.js";
import { gatherEndpoint, sourceName } from "./gather-endpoint.js";
import { gatherIssuerDocuments } from "./gather-issuer-documents.js";
import { gatherIssuerNetwork } from "./gather-issuer-network.js";
import { gatherToken, type Loaded, reportToken, tokenFindings } from "./gather-token.js";
import type { Gathered } from "./gathered.js";
import type { DiagnoseOptions } from "./options.js";
import type { Run } from "./run.js";
import { type ResolvedSettings, readSettings, setting } from "./settings.js";

/** Collects every fact: token, issuer, STS and the one real call, side by side where they can be. */
export async function gather(
  options: DiagnoseOptions,
  run: Run,
): Promise<{ readonly gathered: Gathered; readonly token?: string | undefined }> {
  if (options.issuer !== undefined) {
    return { gathered: await gatherIssuerAlone(options.issuer, options, run) };
  }
  const { clock, env, pool } = run.runtime;
  pool.preload();
  const settings = await readSettings(options, run);
  const [loaded, { targets, findings: unchosen }] = await Promise.all([
    gatherToken(run, options, settings.tokenFile),
    chooseTargets(settings, run),
  ]);
  const first = targets[0]?.target;
  const request = first === undefined ? unchosen : await requestFindings(settings, first, loaded);
  const isAsked = first !== undefined && mayAsk(options, loaded, request);
  const [sts, issuer, assumed] = await Promise.all([
    Promise.all(targets.map((each) => gatherEndpoint(run, each))),
    gatherIssuer(run, loaded, options.allowPrivateIssuers),
    isAsked ? assume(run, loaded.token ?? "", settings, first) : undefined,
  ]);
  // A run that is repeated opens its connections anew, to measure them.
  for (const { target } of targets) pool.release(target, env);
  const clockSkewMs = skewOf(sts[0]?.clockSkewMs, first && pool.serverClock(first, env), clock);
  // STS's time counts for the token.
  const skewMs = Math.abs(clockSkewMs ?? 0) < ON_THE_WAY_MS ? 0 : (clockSkewMs ?? 0);
  const now = clock.now() + skewMs;
  const region =
    first && setting("region", { value: first.region, source: sourceName(first.regionSource) });
  const gathered: Gathered = {
    facts: {
      ...common(run, [...settings.told, ...(region ? [region] : []), ...issuer.settings]),
      token: reportToken(loaded, now, options.redact ?? false),
      issuer: issuer.facts,
      sts,
      clockSkewMs,
      assumeRole: assumed?.facts,
    },
    timings: inOrder(run),
    token: tokenFindings(loaded, now, clockSkewMs !== undefined),
    request,
    issuer: issuer.findings,
    failure: assumed?.failure,
  };
  return { gathered, token: loaded.token };
}

/** A difference as small as this may be the way of the answer, in milliseconds. */
const ON_THE_WAY_MS = 30_000;

/** STS's clock minus this machine's: as a session proves it, else as the `Date` of a bare GET says. */
function skewOf(
  byDateMs: number | undefined,
  serverClock: ServerClock | undefined,
  clock: Clock,
): number | undefined {
  const shown = serverClock?.read();
  if (shown?.isVerified !== true) return byDateMs;
  const provenMs = shown.now - clock.now();
  const isSame = Math.abs((byDateMs ?? Number.NaN) - provenMs) < ON_THE_WAY_MS;
  return isSame ? byDateMs : provenMs;
}

async function gatherIssuerAlone(
  issuer: string,
  { allowPrivateIssuers }: DiagnoseOptions,
  run: Run,
): Promise<Gathered> {
  const looked = await lookAtIssuer(run, issuer, { issuer }, allowPrivateIssuers);
  const told: Setting[] = [{ name: "issuer", value: safeText(issuer, 200), source: "option" }];
  return {
    facts: { ...common(run, told), issuer: looked.facts, sts: [] },
    timings: inOrder(run),
    token: [],
    request: [],
    issuer: looked.findings,
  };
}

function common(run: Run, settings: readonly Setting[]) {
  const { startedAt, unfinished } = run;
  return { startedAt, elapsedMs: run.elapsedMs(), unfinished: [...unfinished], settings };
}

function inOrder({ timings }: Run) {
  return timings.toSorted((a, b) => a.startMs - b.startMs);
}

interface LookedAt {
  readonly facts?: IssuerFacts | undefined;
  readonly findings: readonly Finding[];
  readonly settings: readonly Setting[];
}

async function gatherIssuer(
  run: Run,
  { token }: Loaded,
  allowPrivate: boolean | undefined,
): Promise<LookedAt> {
  const nothing: LookedAt = { findings: [], settings: [] };
  const decoded =
    token === undefined || token.length > STS_MAX_TOKEN_LENGTH ? undefined : decodeToken(token);
  if (token === undefined || decoded === undefined || "problem" in decoded) return nothing;
  const { iss } = decoded.claims;
  // The token check tells what is wrong with such an issuer.
  if (typeof iss !== "string") return nothing;
  const looked = await lookAtIssuer(run, iss, { token }, allowPrivate);
  const told: Setting = { name: "issuer", value: safeText(iss, 200), source: "token" };
  return { ...looked, settings: [told] };
}

async function lookAtIssuer(
  run: Run,
  issuer: string,
  input: { readonly token: string } | { readonly issuer: string },
  allowPrivate: boolean | undefined,
): Promise<LookedAt> {
  const reach = reachOf(issuer, allowPrivate, run.runtime.env);
  const [network, documents] = await Promise.all([
    gatherIssuerNetwork(run, issuer, reach),
    gatherIssuerDocuments(run, input, { allowPrivate, reach }),
  ]);
  const { report, latency = [], findings = [] } = documents ?? {};
  const urlOf = (name: string) => report?.requests.find(({ document }) => document === name)?.url;
  const facts: IssuerFacts = {
    issuer: safeText(issuer, 200),
    discoveryUrl: discoveryUrl(issuer)?.href,
    jwksUrl: urlOf("jwks"),
    ...network,
    requests: report?.requests ?? [],
    latency,
    keys: report?.keys,
  };
  return { facts, findings: [...(report?.findings ?? []), ...findings], settings: [] };
}

async function requestFindings(
  settings: ResolvedSettings,
  target: StsTarget,
  loaded: Loaded,
): Promise<Finding[]> {
  // A workload with credentials of another kind needs no role.
  if (settings.roleArn === undefined) return loaded.isElsewhere === true ? [] : [NO_ROLE];
  return await checkRequest(requestOf(settings), target);
}

function requestOf({ roleArn = "", roleSessionName, durationSeconds }: ResolvedSettings) {
  return {
    RoleArn: roleArn,
    RoleSessionName: roleSessionName,
    ...(durationSeconds !== undefined && { DurationSeconds: durationSeconds }),
  };
}

const NO_ROLE: Finding = {
  id: "role-arn-invalid",
  severity: "fatal",
  title: "No role is configured.",
  detail: "There is neither an option that names the role nor AWS_ROLE_ARN.",
  remedy:
    "Workload: set AWS_ROLE_ARN; on EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod.",
  evidence: { variable: "AWS_ROLE_ARN" },
};

/** What is no JWT may be a secret of another kind: it is not sent anywhere. */
const NOT_SENT = ["token-unreadable", "token-malformed", "token-too-large"];

function mayAsk(options: DiagnoseOptions, loaded: Loaded, request: readonly Finding[]): boolean {
  if (options.assume === false || loaded.token === undefined || request.length > 0) return false;
  return !tokenFindings(loaded, 0, false).some(({ id }) => NOT_SENT.includes(id));
}

async function assume(
  run: Run,
  token: string,
  settings: ResolvedSettings,
  target: StsTarget,
): Promise<Assumed> {
  const input = { ...requestOf(settings), WebIdentityToken: token };
  return await gatherAssumeRole(run, input, target);
}
