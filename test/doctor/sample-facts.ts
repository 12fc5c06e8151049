import type { EndpointFacts, Facts, IssuerFacts } from "../../src/doctor/diagnosis.js";
import type { Finding, Severity } from "../../src/model/findings.js";

/** The facts of a run that gathered nothing but what `changes` has. */
export function sampleFacts(changes: Partial<Facts> = {}): Facts {
  return {
    startedAt: "2026-01-02T03:04:05.000Z",
    elapsedMs: 1,
    unfinished: [],
    settings: [],
    sts: [],
    ...changes,
  };
}

/** An STS endpoint that responds to a bare GET. */
export function sampleEndpoint(changes: Partial<EndpointFacts> = {}): EndpointFacts {
  return {
    region: "eu-west-1",
    regionSource: "option",
    url: "https://sts.eu-west-1.amazonaws.com/",
    host: "sts.eu-west-1.amazonaws.com",
    kind: "regional",
    isFips: false,
    isDualStack: false,
    addresses: [],
    isPrivate: false,
    firstByteMs: 50,
    totalMs: 51,
    status: 302,
    ...changes,
  };
}

/** An issuer about which nothing is known but its name. */
export function sampleIssuer(changes: Partial<IssuerFacts> = {}): IssuerFacts {
  return {
    issuer: "https://issuer.invalid",
    host: "issuer.invalid",
    addresses: [],
    requests: [],
    latency: [],
    ...changes,
  };
}

/** A finding without texts. */
export function sampleFinding(
  id: Finding["id"],
  severity: Severity,
  evidence: Finding["evidence"] = {},
): Finding {
  return { id, severity, title: "", detail: "", remedy: "", evidence };
}
