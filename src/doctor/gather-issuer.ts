// Facts about the issuer: the issuer check with its measurements, and the network path to the issuer.

import { isIP } from "node:net";
import type { DocumentName, Finding, IssuerReport, RequestTiming } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { problemFinding, slow, statusFinding } from "../preflight/document-findings.js";
import { fetchDocument } from "../preflight/fetch-document.js";
import { isWithin, type Reach, reachOf } from "../preflight/guarded-lookup.js";
import { IssuerCache } from "../preflight/issuer-cache.js";
import { type CheckIssuerInput, checkIssuerWith } from "../preflight/issuer-check.js";
import { KeySetsSeen } from "../preflight/key-history.js";
import { readKeySet } from "../preflight/key-set.js";
import { openTunnel, proxyFor } from "../preflight/proxy.js";
import { discoveryUrl } from "../preflight/subject.js";
import { startLimit, withTimeout } from "../runtime/abort.js";
import { safeText } from "../runtime/redact.js";
import { roundMs } from "../runtime/time-text.js";
import { bareHostname } from "../runtime/url-host.js";
import type { IssuerFacts, Latency } from "./diagnosis.js";
import {
  connectToEach,
  type OpenConnection,
  openSocket,
  probeTls,
  type Resolved,
  resolveName,
} from "./probe.js";
import { type Run, requestParts } from "./run.js";

/** How often each document is requested, including the issuer check. */
const TRIES = 3;

interface IssuerOptions {
  /** The issuer exactly as the token or the option names it. */
  readonly issuer: string;
  readonly input: CheckIssuerInput;
  readonly allowPrivate: boolean | undefined;
}

interface GatheredIssuer {
  readonly facts: IssuerFacts;
  readonly findings: readonly Finding[];
}

/** Checks an issuer, its documents and the network path to it in parallel. */
export async function gatherIssuer(
  run: Run,
  { issuer, input, allowPrivate }: IssuerOptions,
): Promise<GatheredIssuer> {
  const reach = reachOf(issuer, allowPrivate, run.runtime.env);
  const [network, { report, latency, findings }] = await Promise.all([
    gatherIssuerNetwork(run, issuer, reach),
    gatherDocuments(run, input, { allowPrivate, reach }),
  ]);
  const facts: IssuerFacts = {
    issuer: safeText(issuer, 200),
    discoveryUrl: discoveryUrl(issuer)?.href,
    jwksUrl: report?.requests.find(({ document }) => document === "jwks")?.url,
    ...network,
    requests: report?.requests ?? [],
    latency,
    keys: report?.keys,
  };
  return { facts, findings: [...(report?.findings ?? []), ...findings] };
}

interface Documents {
  /** Absent when the limit was reached before the issuer check ended. */
  readonly report?: IssuerReport | undefined;
  /** New findings of the requests after the issuer check. */
  readonly findings: readonly Finding[];
  readonly latency: readonly Latency[];
}

interface Allowed {
  /** The doctor's option. */
  readonly allowPrivate: boolean | undefined;
  /** What the option and the environment allow for this issuer. */
  readonly reach: Reach;
}

/** Runs the provider's issuer check, then requests each document twice more to measure its latency. */
async function gatherDocuments(
  run: Run,
  input: CheckIssuerInput,
  { allowPrivate, reach }: Allowed,
): Promise<Documents> {
  const onRequest = recorder(run);
  const requests: RequestTiming[] = [];
  let report: IssuerReport | undefined;
  const step = {
    step: "issuer-documents",
    label: "requesting the issuer's documents",
    limitMs: run.deadline.remainingMs(),
    late: () => ({ report, findings: [], latency: latencies(requests) }),
  } as const;
  return await run.step<Documents>(step, async (signal) => {
    const { clock, env, resolve, ca } = run.runtime;
    const issuers = new IssuerCache();
    const runtime = { clock, env, resolve, ca, issuers, onRequest };
    const settings = {
      allowPrivateIssuers: allowPrivate,
      timeoutMs: STS_ISSUER_TIMEOUT_MS,
      signal,
    };
    report = await checkIssuerWith(input, settings, runtime);
    requests.push(...report.requests);
    const keySets = issuers.latest?.keySets ?? new KeySetsSeen(clock);
    const repeated = { report, requests, reach, keySets, onRequest, signal };
    const findings = await repeat(run, repeated);
    return { report, findings, latency: latencies(requests) };
  });
}

interface RepeatOptions {
  readonly report: IssuerReport;
  /** All requests so far; repeated requests are added. */
  readonly requests: RequestTiming[];
  readonly reach: Reach;
  readonly keySets: KeySetsSeen;
  readonly onRequest: (timing: RequestTiming) => void;
  readonly signal: AbortSignal;
}

/** Repeats the check's requests as long as both documents are served and time is left. */
async function repeat(run: Run, options: RepeatOptions): Promise<Finding[]> {
  const { report, requests, keySets } = options;
  // 304 is the response to the second request for a JWKS that the check makes.
  const isServed = ({ status }: RequestTiming) => status === 200 || status === 304;
  const isWhole = report.requests.length === 2 && report.requests.every(isServed);
  if (!isWhole) return [];
  const known = new Set(report.findings.map(({ id }) => id));
  for (let tryNumber = 2; tryNumber <= TRIES; tryNumber += 1) {
    const repeated: RequestTiming[] = [];
    for (const { document, url } of report.requests) {
      // Leaves time to report the findings.
      const timeoutMs = Math.min(STS_ISSUER_TIMEOUT_MS, run.deadline.remainingMs() - 500);
      if (timeoutMs < 1_000) return [];
      const request = { document, url, timeoutMs };
      const { timing, finding } = await requestAgain(run, options, request);
      if (finding !== undefined) return known.has(finding.id) ? [] : [passing(finding, tryNumber)];
      repeated.push(timing);
    }
    requests.push(...repeated);
    const late = slow(repeated).filter(({ id }) => !known.has(id));
    if (late.length > 0) return late.map((finding) => passing(finding, tryNumber));
  }
  const inconsistent = known.has("jwks-inconsistent") ? undefined : keySets.finding(false);
  return inconsistent ? [inconsistent] : [];
}

interface RepeatedRequest {
  readonly document: DocumentName;
  readonly url: string;
  readonly timeoutMs: number;
}

async function requestAgain(
  run: Run,
  { reach, keySets, onRequest, signal }: RepeatOptions,
  { document, url: address, timeoutMs }: RepeatedRequest,
): Promise<{ readonly timing: RequestTiming; readonly finding?: Finding }> {
  const { clock, env, resolve, ca } = run.runtime;
  const limit = startLimit({ clock, signal, timeoutMs, reason: new Error("time is up") });
  const url = new URL(address);
  const proxy = proxyFor(url, env);
  try {
    const outcome = await fetchDocument(url, {
      document,
      transport: { env, resolve, ca, onRequest },
      reach,
      proxy,
      clock,
      signal: limit.signal,
    });
    const { timing } = outcome;
    if ("problem" in outcome) {
      const failed = { document, timing, timeoutMs, proxy };
      return { timing, finding: problemFinding(outcome.problem, failed) };
    }
    if (outcome.status === 200) {
      // Another replica behind the load balancer may have other keys.
      if (document === "jwks") keySets.note(readKeySet(outcome.body, address).keySet);
      return { timing };
    }
    return { timing, finding: statusFinding(document, timing, clock.now()) };
  } finally {
    limit.end();
  }
}

function passing(finding: Finding, tryNumber: number): Finding {
  const detail = `${finding.detail} (Request ${tryNumber} of ${TRIES}; the earlier ones succeeded.)`;
  return { ...finding, detail, evidence: { ...finding.evidence, tryNumber } };
}

/** Records each request among the timings of the run, numbered by document. */
function recorder(run: Run): (timing: RequestTiming) => void {
  const counts = { discovery: 0, jwks: 0 };
  return (timing) => {
    const { document, url, totalMs } = timing;
    counts[document] += 1;
    const name = document === "discovery" ? "discovery document" : "JWKS";
    run.timings.push({
      step: "issuer-documents",
      party: "issuer",
      label: `${name} (request ${counts[document]})`,
      url,
      startMs: roundMs(Math.max(0, run.elapsedMs() - totalMs)),
      ...requestParts(timing),
      limitMs: STS_ISSUER_TIMEOUT_MS,
    });
  };
}

function latencies(requests: readonly RequestTiming[]): Latency[] {
  return (["discovery", "jwks"] as const).flatMap((document) => {
    const triesMs = requests
      .filter((each) => each.document === document && each.error === undefined)
      .map(({ totalMs }) => totalMs);
    if (triesMs.length === 0) return [];
    const sorted = triesMs.toSorted((a, b) => a - b);
    const [minMs = 0, maxMs = 0] = [sorted[0], sorted.at(-1)];
    const medianMs = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
    return [{ document, triesMs, minMs, medianMs, maxMs }];
  });
}

/** The limit of each part (name, connection, handshake), in milliseconds. */
const PART_LIMIT_MS = 5_000;

/** The facts that the network alone shows. */
type IssuerNetwork = Pick<
  IssuerFacts,
  "host" | "port" | "proxy" | "dnsMs" | "dnsError" | "addresses" | "tls"
>;

/** Resolves an issuer's name, connects to its addresses and measures its TLS, even if its documents are broken. */
async function gatherIssuerNetwork(run: Run, issuer: string, reach: Reach): Promise<IssuerNetwork> {
  const url = discoveryUrl(issuer);
  if (url === undefined) return { addresses: [] };
  const { env } = run.runtime;
  const host = bareHostname(url);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const proxy = proxyFor(url, env);
  const place = { host, port, ...(proxy && { proxy: `${proxy.protocol}//${proxy.host}` }) };
  let known: IssuerNetwork = { ...place, addresses: [] };
  const step = {
    step: "issuer-network",
    label: "checking the network path to the issuer",
    limitMs: 3 * PART_LIMIT_MS,
    // Returns what is known by then.
    late: () => known,
  } as const;
  return await run.step<IssuerNetwork>(step, async (signal) => {
    // A proxy resolves names itself, and may be the only one that can.
    const resolved = proxy ? { addresses: [] } : await resolveIssuer(run, host, signal);
    known = { ...place, ...resolved };
    const isRefused = resolved.addresses.some(({ address }) => !isWithin(reach, address));
    if (isRefused) return known;
    const limits = { port, limitMs: PART_LIMIT_MS, signal };
    const addresses = await connectToEach(run, resolved.addresses, limits);
    known = { ...known, addresses };
    if (url.protocol !== "https:") return known;
    const reached = addresses.find(({ connectMs }) => connectMs !== undefined)?.address;
    if (reached === undefined && proxy === undefined) return known;
    const open: OpenConnection = async () => {
      if (proxy !== undefined) {
        const { clock, resolve } = run.runtime;
        const reason = new Error("no tunnel");
        const limit = { clock, signal, timeoutMs: PART_LIMIT_MS, reason };
        return await withTimeout(limit, (limited) =>
          openTunnel(proxy, url, { signal: limited, resolve }),
        ).catch(() => undefined);
      }
      const opened = await openSocket(run, reached ?? host, limits);
      return "socket" in opened ? opened.socket : undefined;
    };
    const startMs = run.elapsedMs();
    const tls = await probeTls(run, { open, host, limitMs: PART_LIMIT_MS, signal });
    run.timings.push({
      step: "issuer-network",
      party: "issuer",
      label: `TLS of ${host}`,
      url: url.origin,
      startMs,
      totalMs: roundMs(run.elapsedMs() - startMs),
      error: tls.error,
    });
    return { ...known, tls };
  });
}

async function resolveIssuer(
  run: Run,
  host: string,
  signal: AbortSignal,
): Promise<Partial<Resolved> & Pick<Resolved, "addresses">> {
  const startMs = run.elapsedMs();
  const resolved = await resolveName(run, host, {
    limitMs: PART_LIMIT_MS,
    signal,
    resolve: run.runtime.resolve,
  });
  if (isIP(host) !== 0) return { addresses: resolved.addresses };
  const { dnsMs, dnsError: error } = resolved;
  const what = { step: "issuer-network", party: "issuer", label: `DNS of ${host}` } as const;
  run.timings.push({ ...what, startMs, totalMs: dnsMs, dnsMs, error });
  return resolved;
}
