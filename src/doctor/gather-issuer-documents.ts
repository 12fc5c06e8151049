import type { Finding } from "../model/findings.js";
import type { DocumentName, IssuerReport, RequestTiming } from "../model/issuer-report.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { problemFinding, slow, statusFinding } from "../preflight/document-findings.js";
import { fetchDocument } from "../preflight/fetch-document.js";
import { IssuerCache } from "../preflight/issuer-cache.js";
import { type CheckIssuerInput, checkIssuerWith } from "../preflight/issuer-check.js";
import { KeySetsSeen } from "../preflight/key-history.js";
import { readKeySet } from "../preflight/key-set.js";
import { proxyFor } from "../preflight/proxy.js";
import type { Reach } from "../preflight/reach.js";
import { startLimit } from "../runtime/abort.js";
import type { Latency } from "./facts.js";
import { requestParts } from "./request-parts.js";
import { type Run, round } from "./run.js";

/** Each document is asked for as often as this, the look among them. */
const TRIES = 3;

export interface IssuerDocuments {
  readonly report: IssuerReport;
  /** Of the tries after the look, where they found what it did not. */
  readonly findings: readonly Finding[];
  readonly latency: readonly Latency[];
}

interface MayAsk {
  /** The option of the doctor. */
  readonly allowPrivate: boolean | undefined;
  /** What follows from it for the issuer, and from the environment. */
  readonly reach: Reach;
}

/** The pre-flight's look, and two more tries of each document for their latency. */
export async function gatherIssuerDocuments(
  run: Run,
  input: CheckIssuerInput,
  { allowPrivate, reach }: MayAsk,
): Promise<IssuerDocuments | undefined> {
  const label = "asking the issuer for its documents";
  const requests: RequestTiming[] = [];
  let report: IssuerReport | undefined;
  const limitMs = run.deadline.remainingMs();
  const whole = await run.step("issuer-documents", label, limitMs, undefined, async (signal) => {
    const { clock, env, resolve, ca } = run.runtime;
    const startMs = run.elapsedMs();
    const issuers = new IssuerCache();
    const runtime = { clock, env, resolve, ca, issuers };
    const settings = {
      allowPrivateIssuers: allowPrivate,
      timeoutMs: STS_ISSUER_TIMEOUT_MS,
      signal,
    };
    report = await checkIssuerWith(input, settings, runtime);
    noteLook(run, report, startMs);
    requests.push(...report.requests);
    const keySets = issuers.latest?.keySets ?? new KeySetsSeen(clock);
    const again = { report, requests, reach, keySets, signal };
    const findings = await tryAgain(run, again);
    return { report, findings, latency: latencies(requests) };
  });
  if (whole !== undefined || report === undefined) return whole;
  return { report, findings: [], latency: latencies(requests) };
}

interface LookAgain {
  readonly report: IssuerReport;
  /** All that were made; more are added. */
  readonly requests: RequestTiming[];
  readonly reach: Reach;
  readonly keySets: KeySetsSeen;
  readonly signal: AbortSignal;
}

/** The same requests again, while both answer and there is time. */
async function tryAgain(run: Run, look: LookAgain): Promise<Finding[]> {
  const { report, requests, keySets } = look;
  // 304 is the answer to a second look at the JWKS.
  const isServed = ({ status }: RequestTiming) => status === 200 || status === 304;
  const isWhole = report.requests.length === 2 && report.requests.every(isServed);
  if (!isWhole) return [];
  const known = new Set(report.findings.map(({ id }) => id));
  for (let tryNumber = 2; tryNumber <= TRIES; tryNumber += 1) {
    const again: RequestTiming[] = [];
    for (const { document, url } of report.requests) {
      // The rest of the run needs a moment to be told.
      const timeoutMs = Math.min(STS_ISSUER_TIMEOUT_MS, run.deadline.remainingMs() - 500);
      if (timeoutMs < 1_000) return [];
      const asked = await askAgain(run, look, { document, url, timeoutMs, tryNumber });
      if (asked.finding !== undefined) {
        return known.has(asked.finding.id) ? [] : [passing(asked.finding, tryNumber)];
      }
      again.push(asked.timing);
    }
    requests.push(...again);
    const late = slow(again).filter(({ id }) => !known.has(id));
    if (late.length > 0) return late.map((finding) => passing(finding, tryNumber));
  }
  const inconsistent = known.has("jwks-inconsistent") ? undefined : keySets.finding(false);
  return inconsistent ? [inconsistent] : [];
}

interface AskedAgain {
  readonly document: DocumentName;
  readonly url: string;
  readonly timeoutMs: number;
  readonly tryNumber: number;
}

async function askAgain(
  run: Run,
  { reach, keySets, signal }: LookAgain,
  { document, url: address, timeoutMs, tryNumber }: AskedAgain,
): Promise<{ readonly timing: RequestTiming; readonly finding?: Finding }> {
  const { clock, env, resolve, ca } = run.runtime;
  const limit = startLimit({ clock, signal, timeoutMs, reason: new Error("time is up") });
  const startMs = run.elapsedMs();
  const url = new URL(address);
  const proxy = proxyFor(url, env);
  try {
    const outcome = await fetchDocument(url, {
      document,
      transport: { env, resolve, ca },
      reach,
      proxy,
      clock,
      signal: limit.signal,
    });
    const { timing } = outcome;
    noteRequest(run, timing, startMs, tryNumber);
    if ("problem" in outcome) {
      const failed = { document, timing, timeoutMs, proxy };
      return { timing, finding: problemFinding(outcome.problem, failed) };
    }
    if (outcome.status === 200) {
      // Replicas behind a balancer may have other keys than the one that answered before.
      if (document === "jwks") keySets.note(readKeySet(outcome.body, address).keySet);
      return { timing };
    }
    return { timing, finding: statusFinding(document, timing, clock.now()) };
  } finally {
    limit.end();
  }
}

function passing(finding: Finding, tryNumber: number): Finding {
  const detail = `${finding.detail} (At try ${tryNumber} of ${TRIES}; the ones before it went well.)`;
  return { ...finding, detail, evidence: { ...finding.evidence, tryNumber } };
}

/** The look tells no starts: discovery begins with it, the JWKS ends with it. */
function noteLook(run: Run, { requests }: IssuerReport, startMs: number): void {
  const endMs = run.elapsedMs();
  for (const timing of requests) {
    const isFirst = timing.document === "discovery";
    noteRequest(run, timing, isFirst ? startMs : round(endMs - timing.totalMs), 1);
  }
}

function noteRequest(run: Run, timing: RequestTiming, startMs: number, tryNumber: number): void {
  const { document, url } = timing;
  const name = document === "discovery" ? "discovery document" : "JWKS";
  run.timings.push({
    step: "issuer-documents",
    party: "issuer",
    label: `${name} (${tryNumber} of ${TRIES})`,
    url,
    startMs,
    ...requestParts(timing),
    limitMs: STS_ISSUER_TIMEOUT_MS,
  });
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
