import { describe, expect, test } from "vitest";
import { conclude, type Gathered } from "../../src/doctor/conclude.js";
import type { Facts } from "../../src/doctor/diagnosis.js";
import type { Failure } from "../../src/model/failure.js";
import type { FindingId } from "../../src/model/findings.js";
import { sampleEndpoint, sampleFacts, sampleFinding, sampleIssuer } from "./sample-facts.js";

const endpoint = sampleEndpoint;

const facts = (changes: Partial<Facts> = {}) =>
  sampleFacts({
    settings: [{ name: "region", value: "eu-west-1", source: "option" }],
    sts: [endpoint()],
    ...changes,
  });

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

function shown(changes: Partial<Gathered>): string[] {
  const { verdict, findings } = conclude(gathered(changes));
  return [verdict, ...findings.map(({ id, severity }) => `${severity} ${id}`)];
}

const fatal = (id: FindingId) => sampleFinding(id, "fatal");

describe("from the facts about the endpoints, the doctor concludes", () => {
  test.each<[string, Partial<Facts>, readonly string[]]>([
    ["nothing if all is well", {}, ["healthy"]],
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
      "that another region responds in less than half the time",
      {
        sts: [
          endpoint({ firstByteMs: 400 }),
          endpoint({ region: "eu-central-1", firstByteMs: 150 }),
        ],
      },
      ["healthy", "advice sts-region-slower"],
    ],
    [
      "nothing if another region is only a little faster",
      {
        sts: [
          endpoint({ firstByteMs: 290 }),
          endpoint({ region: "eu-central-1", firstByteMs: 150 }),
        ],
      },
      ["healthy"],
    ],
    [
      "nothing from differences below 100 ms",
      {
        sts: [endpoint({ firstByteMs: 90 }), endpoint({ region: "eu-central-1", firstByteMs: 10 })],
      },
      ["healthy"],
    ],
    [
      "advice if a failover region can't be reached",
      {
        sts: [
          endpoint(),
          endpoint({ region: "eu-central-1", failedIn: "dns", error: "ENOTFOUND" }),
        ],
      },
      ["healthy", "advice sts-unreachable"],
    ],
    [
      "that a certificate expires within two weeks",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-16") })] },
      ["healthy", "advice certificate-expires-soon"],
    ],
    [
      "nothing from a certificate that expires later",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-17") })] },
      ["healthy"],
    ],
    [
      "nothing from a certificate of six days before its last quarter",
      { sts: [endpoint({ certificate: certificate("2025-12-29", "2026-01-04") })] },
      ["healthy"],
    ],
    [
      "that a certificate of six days is in its last quarter",
      { sts: [endpoint({ certificate: certificate("2025-12-28", "2026-01-03") })] },
      ["healthy", "advice certificate-expires-soon"],
    ],
    [
      "nothing from an expired certificate, which is not trusted anyway",
      { sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-02") })] },
      ["healthy"],
    ],
    [
      "that a certificate expires soon by STS's clock",
      {
        sts: [endpoint({ certificate: certificate("2025-10-20", "2026-01-17") })],
        clockSkewMs: 86_400_000,
      },
      ["broken", "fatal clock-skew", "advice certificate-expires-soon"],
    ],
    [
      "that a Date of STS can't be right",
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
    ["nothing from a minute of skew", { clockSkewMs: 60_000 }, ["healthy"]],
    [
      "advice from more than a minute of skew",
      { clockSkewMs: -61_000 },
      ["healthy", "advice clock-skew"],
    ],
    [
      "advice from five minutes of skew",
      { clockSkewMs: 300_000 },
      ["healthy", "advice clock-skew"],
    ],
    [
      "a fatal skew from more than five minutes",
      { clockSkewMs: -301_000 },
      ["broken", "fatal clock-skew"],
    ],
  ])("%s", (_, changes, expected) => {
    expect(shown({ facts: facts(changes) })).toEqual(expected);
  });
});

test("a proxy that the SDK does not use is named", () => {
  const sts = [
    endpoint({ failedIn: "connect", error: "ETIMEDOUT", proxy: "http://proxy.invalid" }),
  ];
  const { rootCause } = conclude(gathered({ facts: facts({ sts }) }));
  expect(rootCause?.id).toBe("sts-timeout");
  expect(rootCause?.detail).toContain("http://proxy.invalid is configured, but the AWS SDK");
});

describe("when STS has just accepted the token", () => {
  const assumeRole = { region: "eu-west-1", outcome: "ok", ms: 50 } as const;

  test("a broken rule of the token is only advice", () => {
    const token = [fatal("token-claim-invalid")];
    expect(shown({ facts: facts({ assumeRole }), token })).toEqual([
      "healthy",
      "advice token-claim-invalid",
    ]);
  });

  test("a fault in what the issuer publishes is only suspected, because STS caches keys", () => {
    const issuer = sampleIssuer();
    const gatheredNow = { facts: facts({ assumeRole, issuer }), issuer: [fatal("jwks-empty")] };
    expect(shown(gatheredNow)).toEqual(["degraded", "suspect jwks-empty"]);
  });

  test("an issuer that supports old TLS only is advice", () => {
    const offers = { tls11: true, tls12: false, tls13: false };
    const tls = { offers, isTrusted: false, chain: [] };
    const refused = sampleFinding("issuer-tls-untrusted", "suspect");
    const issuer = sampleIssuer({ tls });
    expect(shown({ facts: facts({ assumeRole, issuer }), issuer: [refused] })).toEqual([
      "healthy",
      "advice issuer-tls-old",
    ]);
    // Without STS's response the issuer is suspected: nothing could be read.
    expect(shown({ facts: facts({ issuer }), issuer: [refused] })).toEqual([
      "degraded",
      "suspect issuer-tls-old",
    ]);
  });

  test("a bare GET that failed is no finding", () => {
    const sts = [endpoint({ failedIn: "response", error: "timeout" })];
    expect(shown({ facts: facts({ assumeRole, sts }) })).toEqual(["healthy"]);
  });
});

test("a blocked path to STS is one finding, with the part that failed", () => {
  const sts = [endpoint({ failedIn: "dns", error: "ENOTFOUND" })];
  const failure: Failure = { kind: "network", code: "ENOTFOUND", message: "getaddrinfo" };
  const { findings } = conclude(gathered({ facts: facts({ sts }), failure }));
  expect(findings.map(({ id }) => id)).toEqual(["sts-unreachable"]);
  expect(findings[0]?.evidence).toMatchObject({ phase: "dns" });
});

test("conclude() is pure and leaves its facts unchanged", () => {
  const frozen = Object.freeze(gathered({ token: Object.freeze([fatal("token-expired")]) }));
  expect(conclude(frozen)).toEqual(conclude(frozen));
});

describe("when the only call failed", () => {
  const failed = (failure: Failure) => conclude(gathered({ failure })).verdict;

  test.each<Failure>([
    { kind: "response", code: "ServiceUnavailable", message: "down", httpStatus: 503 },
    { kind: "response", code: "Throttling", message: "Rate exceeded", httpStatus: 400 },
    { kind: "response", message: "HTTP 502 with a page", httpStatus: 502 },
    { kind: "bad-response", message: "a success without credentials", httpStatus: 200 },
    { kind: "proxy", code: "PROXY_STATUS_502", message: "Bad response: 502" },
    { kind: "network", code: "ECONNRESET", message: "reset" },
  ])("the verdict is broken, even if the cause may pass: %j", (failure) => {
    expect(failed(failure)).toBe("broken");
  });

  test("but not if the end of the run cut it off", () => {
    const assumeRole = { region: "eu-west-1", outcome: "sts-unavailable", ms: 900 } as const;
    const failure: Failure = { kind: "timeout", message: "late", cutShort: true };
    expect(conclude(gathered({ facts: facts({ assumeRole }), failure })).verdict).toBe("degraded");
  });
});
