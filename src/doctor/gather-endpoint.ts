import { fetchDocument } from "../preflight/fetch-document.js";
import type { ResolveHost } from "../preflight/guarded-lookup.js";
import { proxyFor } from "../preflight/proxy.js";
import { startLimit } from "../runtime/abort.js";
import { bareHostname } from "../runtime/bare-hostname.js";
import { loadSdk } from "../sts/load-sdk.js";
import type { StsTarget } from "../sts/target.js";
import type { ChosenTarget } from "./choose-targets.js";
import type { EndpointFacts } from "./facts.js";
import { resolveName } from "./probe-address.js";
import { requestParts } from "./request-parts.js";
import { type Run, round } from "./run.js";

/** A bare GET that takes longer is none that an attempt would wait for, in milliseconds. */
const ENDPOINT_LIMIT_MS = 6_000;

/** The way to one STS endpoint, by a bare GET: any status is an answer. */
export async function gatherEndpoint(
  run: Run,
  { target, endpoint }: ChosenTarget,
): Promise<EndpointFacts> {
  const { env } = run.runtime;
  const { region, regionSource, customEndpoint } = target;
  const { url, isGlobal, isFips, isDualStack, regionalHost } = endpoint;
  const { partition } = await loadSdk();
  // The SDK goes straight to STS, whatever the variables say; so does this look.
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
  const late: EndpointFacts = {
    ...known,
    addresses: [],
    isPrivate: false,
    totalMs: ENDPOINT_LIMIT_MS,
    failedIn: "answer",
    error: "timeout",
  };
  const label = `asking STS in ${region}`;
  // Above the request's own limit: that one tells in which part it hung.
  const limitMs = ENDPOINT_LIMIT_MS + 500;
  return await run.step("sts-endpoint", label, limitMs, late, async (signal) => {
    const host = bareHostname(url);
    const [resolved, answer] = await Promise.all([
      resolveName(run, host, { limitMs: ENDPOINT_LIMIT_MS, signal, resolve: stsResolver(run) }),
      ask(run, url, region, signal),
    ]);
    const isPrivate =
      resolved.addresses.length > 0 && resolved.addresses.some(({ isPublic }) => !isPublic);
    return { ...known, addresses: resolved.addresses, isPrivate, ...answer };
  });
}

/** `region` is what the provider calls its option. */
export function sourceName(source: StsTarget["regionSource"]): string {
  return source === "region" || source === "failoverRegions" ? "option" : source;
}

/** STS's name does not wait for an issuer's whose resolver is silent. */
function stsResolver({ runtime }: Run): ResolveHost {
  return runtime.resolveSts ?? runtime.resolve;
}

async function ask(run: Run, url: URL, region: string, signal: AbortSignal) {
  const { clock, env, ca } = run.runtime;
  // A little before the run's end, which does not tell in which part it hung.
  const leftMs = Math.max(0, run.deadline.remainingMs() - 100);
  const timeoutMs = Math.min(ENDPOINT_LIMIT_MS, leftMs);
  const limit = startLimit({ clock, signal, timeoutMs, reason: new Error("time is up") });
  const startMs = run.elapsedMs();
  const outcome = await fetchDocument(url, {
    document: "discovery",
    transport: { env, resolve: stsResolver(run), ca },
    reach: "any",
    proxy: undefined,
    clock,
    signal: limit.signal,
  });
  limit.end();
  const { headers, tlsProtocol, certificate, status, firstByteMs, totalMs } = outcome.timing;
  // A page that is too long or compressed is an answer all the same.
  const failure = status === undefined && "problem" in outcome ? outcome.problem : undefined;
  const parts = { ...requestParts(outcome.timing), ...(!failure && { error: undefined }) };
  const what = { step: "sts-endpoint", party: "sts", label: `STS in ${region}` } as const;
  run.timings.push({ ...what, url: url.href, startMs, ...parts });
  return {
    ...parts,
    tlsProtocol,
    certificate,
    ...(failure && { failedIn: partOf(failure) }),
    ...(headers.date !== undefined && {
      clockSkewMs: skew(headers.date, clock.now() - (totalMs - (firstByteMs ?? totalMs))),
    }),
  };
}

function partOf(problem: {
  readonly kind: string;
  readonly phase?: string;
}): NonNullable<EndpointFacts["failedIn"]> {
  if (problem.kind === "tls") return "tls";
  const { phase } = problem;
  return phase === "dns" || phase === "connect" || phase === "tls" ? phase : "answer";
}

/** `Date` has whole seconds, cut off: half a second is added. */
function skew(date: string, now: number): number | undefined {
  const at = Date.parse(date);
  return Number.isNaN(at) ? undefined : round(at + 500 - now);
}
