import type { Diagnosis, Timing } from "../../src/doctor/diagnosis.js";
import type { Finding, FindingId, Severity } from "../../src/model/findings.js";

/** Text from outside that does harm if it is not escaped. */
export const HOSTILE = `<script>alert("1")</script>'><img src=x onerror=alert(1)>\u001b[31m\u202e`;

/** Control characters, and characters that reorder text. */
export const UNPRINTABLE = /[\p{Cc}\u202a-\u202e]/u;

export function sampleFinding(
  id: FindingId,
  severity: Severity,
  texts: Partial<Pick<Finding, "title" | "detail" | "remedy">> = {},
): Finding {
  return {
    id,
    severity,
    title: texts.title ?? `The title of ${id}.`,
    detail: texts.detail ?? `The values that were seen for ${id}.`,
    remedy: texts.remedy ?? `IdP: fix ${id}.`,
    evidence: {},
  };
}

/** A request for the discovery document that timed out. */
export function sampleRequest(changes: Partial<Timing>): Timing {
  return {
    step: "issuer-documents",
    party: "issuer",
    label: "discovery document (request 1)",
    url: "https://login.example.com/.well-known/openid-configuration",
    startMs: 0,
    totalMs: 5000,
    error: "timeout",
    limitMs: 5000,
    ...changes,
  };
}

/** The diagnosis of a slow identity provider, with everything that a report can show. */
export function sampleDiagnosis(changes: Partial<Diagnosis> = {}): Diagnosis {
  const slow = sampleFinding("jwks-slow", "suspect", {
    title: "The JWKS takes longer than STS waits.",
    detail: "https://login.example.com/keys took 6400 ms.",
    remedy: "IdP: serve the JWKS from a cache.",
  });
  return {
    schemaVersion: 1,
    verdict: "degraded",
    rootCause: slow,
    findings: [
      slow,
      sampleFinding("token-expires-soon", "advice"),
      sampleFinding("proxy-in-use", "info"),
    ],
    timings: [
      { step: "token", party: "token", label: "token", startMs: 0, totalMs: 2 },
      {
        step: "issuer-documents",
        party: "issuer",
        label: "JWKS (request 1)",
        url: "https://login.example.com/keys",
        startMs: 953,
        dnsMs: 31,
        connectMs: 80,
        tlsMs: 160,
        firstByteMs: 5900,
        totalMs: 6400,
        status: 200,
        limitMs: 5000,
      },
      {
        step: "assume-role",
        party: "sts",
        label: "AssumeRoleWithWebIdentity in eu-west-1",
        startMs: 3,
        totalMs: 800,
        error: "ECONNRESET",
      },
    ],
    facts: {
      startedAt: "2026-01-01T00:00:00.000Z",
      elapsedMs: 8000,
      unfinished: [],
      settings: [
        { name: "roleArn", value: "arn:aws:iam::123456789012:role/app", source: "AWS_ROLE_ARN" },
        { name: "region", value: "eu-west-1", source: "option" },
      ],
      token: {
        source: "the token given",
        alg: "RS256",
        length: 900,
        secondsLeft: 1800,
        lifetimeSeconds: 3600,
        iat: 1_767_223_800,
        notBefore: 1_767_223_800,
        exp: 1_767_227_400,
      },
      issuer: {
        issuer: "https://login.example.com",
        discoveryUrl: "https://login.example.com/.well-known/openid-configuration",
        jwksUrl: "https://login.example.com/keys",
        host: "login.example.com",
        addresses: [
          { address: "203.0.113.7", family: 4, isPublic: true, connectMs: 22 },
          { address: "203.0.113.8", family: 4, isPublic: true, error: "ECONNREFUSED" },
        ],
        tls: {
          protocol: "TLSv1.3",
          offers: { tls12: true, tls13: true },
          isTrusted: true,
          chain: [
            {
              subject: "CN=login.example.com",
              issuer: "CN=Example CA",
              validFrom: "2025-06-01T00:00:00.000Z",
              validTo: "2026-06-01T00:00:00.000Z",
              names: ["login.example.com"],
              isSelfSigned: false,
              thumbprint: "9E99A48A9960B14926BB7F3B02E22DA2B0AB7280",
            },
          ],
        },
        requests: [
          {
            document: "discovery",
            url: "https://login.example.com/.well-known/openid-configuration",
            status: 200,
            totalMs: 40,
            fromCache: false,
            bytes: 500,
            headers: { pragma: "no-cache" },
          },
          {
            document: "jwks",
            url: "https://login.example.com/keys",
            status: 200,
            totalMs: 6400,
            fromCache: false,
            bytes: 900,
            headers: { "cache-control": "max-age=600", age: "60" },
          },
        ],
        latency: [{ document: "jwks", triesMs: [6400], minMs: 6400, medianMs: 6400, maxMs: 6400 }],
        keys: [
          {
            kid: "other",
            kty: "RSA",
            alg: "RS256",
            use: "enc",
            bits: 2048,
            usable: false,
            problem: "`use` is enc",
            matchesToken: false,
          },
          {
            kid: "current",
            kty: "RSA",
            alg: "RS256",
            use: "sig",
            bits: 2048,
            usable: true,
            matchesToken: true,
          },
        ],
      },
      sts: [],
    },
    ...changes,
  };
}
