import { describe, expect, it } from "vitest";
import { conclude } from "../../src/doctor/conclude.js";
import type { EndpointFacts, Facts } from "../../src/doctor/facts.js";
import type { Gathered } from "../../src/doctor/gather.js";
import type { Failure } from "../../src/model/failure.js";
import type { Finding } from "../../src/model/findings.js";

const endpoint = (changes: Partial<EndpointFacts> = {}): EndpointFacts => ({
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
});

function facts(changes: Partial<Facts> = {}): Facts {
  return {
    startedAt: "2026-01-02T03:04:05.000Z",
    elapsedMs: 1,
    unfinished: [],
    settings: [{ name: "region", value: "eu-west-1", source: "option" }],
    sts: [endpoint()],
    ...changes,
  };
}

const certificate = (from: string, to: string) => ({
  validFrom: `${from}T00:00:00.000Z`,
  validTo: `${to}T00:00:00.000Z`,
});

const gathered = (changes: Partial<Gathered> = {}): Gathered => ({
  facts: facts(),
  timings: [],
  token: [],
  request: [],
  issuer: [],
  ...changes,
});

function told(changes: Partial<Gathered>): string[] {
  const { verdict, findings } = conclude(gathered(changes));
  return [verdict, ...findings.map(({ id, severity }) => `${severity} ${id}`)];
}

const fatal = (id: Finding["id"]): Finding => {
  return { id, severity: "fatal", title: "", detail: "", remedy: "", evidence: {} };
};

describe("of the endpoints it concludes", () => {
  it.each<[string, Partial<Facts>, readonly string[]]>([
    ["nothing where all is well", {}, ["healthy"]],
    [
      "that no region is configured",
      { settings: [{ name: "region", value: "us-east-1", source: "default" }] },
      ["healthy", "advice region-defaulted"],
    ],
    [
      "that the global endpoint is in use",
      { sts: [endpoint({ kind: "global", host: "sts.amazonaws.com" })] },
      ["healthy", "advice endpoint-global"],
    ],
    [
      "that another region answers in less than half the time",
      {
        sts: [
          endpoint({ firstByteMs: 400 }),
          endpoint({ region: "eu-central-1", firstByteMs: 150 }),
        ],
      },
      ["healthy", "advice sts-region-slower"],
    ],
    [
      "nothing of regions that are nearly as fast",
      {
        sts: [
          endpoint({ firstByteMs: 290 }),
          endpoint({ region: "eu-central-1", firstByteMs: 150 }),
        ],
      },
      ["healthy"],
    ],
    [
      "nothing of differences that nobody feels",
      {
        sts: [endpoint({ firstByteMs: 90 }), endpoint({ region: "eu-central-1", firstByteMs: 10 })],
      },
      ["healthy"],
    ],
    [
      "advice of a failover region that cannot be reached",
      {
        sts: [
          endpoint(),
          endpoint({ region: "eu-central-1", failedIn: "dns", error: "ENOTFOUND" }),
        ],
      },
      ["healthy", "advice sts-unreachable"],
    ],
    [
      "that an endpoint's certificate ends within two weeks",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-16") })] },
      ["healthy", "advice certificate-expires-soon"],
    ],
    [
      "nothing of one that ends later",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-17") })] },
      ["healthy"],
    ],
    [
      "nothing of one of six days before its last quarter",
      { sts: [endpoint({ certificate: certificate("2025-12-29", "2026-01-04") })] },
      ["healthy"],
    ],
    [
      "that one of six days is in its last quarter",
      { sts: [endpoint({ certificate: certificate("2025-12-28", "2026-01-03") })] },
      ["healthy", "advice certificate-expires-soon"],
    ],
    [
      "nothing of one that has ended: it is not trusted",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-02") })] },
      ["healthy"],
    ],
    [
      "the end of a certificate by STS's clock",
      {
        sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-17") })],
        clockSkewMs: 86_400_000,
      },
      ["broken", "fatal clock-skew", "advice certificate-expires-soon"],
    ],
    [
      "a Date of STS that cannot be right",
      {
        assumeRole: {
          ...{ region: "eu-west-1", outcome: "ok", ms: 1 },
          rejectedDate: {
            date: "1970-01-01T00:00:00.000Z",
            skewMs: -1_767_312_000_000,
            expiration: "2026-01-02T01:00:00.000Z",
            reason: "session-too-long",
          },
        },
      },
      ["healthy", "advice sts-date-wrong"],
    ],
    ["a minute of skew to be none", { clockSkewMs: 60_000 }, ["healthy"]],
    [
      "more than a minute to be worth advice",
      { clockSkewMs: -61_000 },
      ["healthy", "advice clock-skew"],
    ],
    ["five minutes to be worth advice", { clockSkewMs: 300_000 }, ["healthy", "advice clock-skew"]],
    ["more than five to break things", { clockSkewMs: -301_000 }, ["broken", "fatal clock-skew"]],
  ])("%s", (_, changes, expected) => {
    expect(told({ facts: facts(changes) })).toEqual(expected);
  });
});

it("names a proxy that the SDK does not use", () => {
  const sts = [
    endpoint({ failedIn: "connect", error: "ETIMEDOUT", proxy: "http://proxy.invalid" }),
  ];
  const { rootCause } = conclude(gathered({ facts: facts({ sts }) }));
  expect(rootCause?.id).toBe("sts-timeout");
  expect(rootCause?.detail).toContain("http://proxy.invalid is configured, but the AWS SDK");
});

describe("when STS has just taken the token", () => {
  const assumeRole = { region: "eu-west-1", outcome: "ok", ms: 50 } as const;

  it("a rule of the token is only advice", () => {
    const token = [fatal("token-claim-invalid")];
    expect(told({ facts: facts({ assumeRole }), token })).toEqual([
      "healthy",
      "advice token-claim-invalid",
    ]);
  });

  it("what the issuer publishes is only suspect: STS keeps keys", () => {
    const issuer = { issuer: "https://issuer.invalid", addresses: [], requests: [], latency: [] };
    const looked = { facts: facts({ assumeRole, issuer }), issuer: [fatal("jwks-empty")] };
    expect(told(looked)).toEqual(["degraded", "suspect jwks-empty"]);
  });

  it("an issuer that speaks old TLS alone works today", () => {
    const offers = { tls11: true, tls12: false, tls13: false };
    const tls = { offers, isTrusted: false, chain: [] };
    const known = { issuer: "https://issuer.invalid", addresses: [], requests: [], latency: [] };
    const refused: Finding = { ...fatal("issuer-tls-untrusted"), severity: "suspect" };
    const issuer = { ...known, tls };
    expect(told({ facts: facts({ assumeRole, issuer }), issuer: [refused] })).toEqual([
      "healthy",
      "advice issuer-tls-old",
    ]);
    // Without STS's word for it: nothing could be read, and that is no health.
    expect(told({ facts: facts({ issuer }), issuer: [refused] })).toEqual([
      "degraded",
      "suspect issuer-tls-old",
    ]);
  });

  it("a bare GET that failed says nothing", () => {
    const sts = [endpoint({ failedIn: "answer", error: "timeout" })];
    expect(told({ facts: facts({ assumeRole, sts }) })).toEqual(["healthy"]);
  });
});

it("tells the way to STS once, with what the look at it saw", () => {
  const sts = [endpoint({ failedIn: "dns", error: "ENOTFOUND" })];
  const failure: Failure = { kind: "network", code: "ENOTFOUND", message: "getaddrinfo" };
  const { findings } = conclude(gathered({ facts: facts({ sts }), failure }));
  expect(findings.map(({ id }) => id)).toEqual(["sts-unreachable"]);
  expect(findings[0]?.evidence).toMatchObject({ phase: "dns" });
});

it("is pure: the facts it is given stay as they are", () => {
  const frozen = Object.freeze(gathered({ token: Object.freeze([fatal("token-expired")]) }));
  expect(conclude(frozen)).toEqual(conclude(frozen));
});

describe("when the only call failed", () => {
  const failed = (failure: Failure) => conclude(gathered({ failure })).verdict;

  it.each<Failure>([
    { kind: "answer", code: "ServiceUnavailable", message: "down", httpStatus: 503 },
    { kind: "answer", code: "Throttling", message: "Rate exceeded", httpStatus: 400 },
    { kind: "answer", message: "HTTP 502 with a page", httpStatus: 502 },
    { kind: "bad-answer", message: "a success without credentials", httpStatus: 200 },
    { kind: "proxy", code: "PROXY_STATUS_502", message: "Bad response: 502" },
    { kind: "network", code: "ECONNRESET", message: "reset" },
  ])("the verdict is broken, whether or not the cause passes: %j", (failure) => {
    expect(failed(failure)).toBe("broken");
  });

  it("the end of the run alone is no failure", () => {
    const assumeRole = { region: "eu-west-1", outcome: "sts-unavailable", ms: 900 } as const;
    const failure: Failure = { kind: "timeout", message: "late", cutShort: true };
    expect(conclude(gathered({ facts: facts({ assumeRole }), failure })).verdict).toBe("degraded");
  });
});
