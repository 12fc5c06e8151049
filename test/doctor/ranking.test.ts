import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXPLAINED_BY, RANKING, rank } from "../../src/doctor/conclude.js";
import type { Finding, FindingId, Severity } from "../../src/model/findings.js";
import { ROOT } from "../support/sources.js";

const finding = (text: string): Finding => {
  const [severity, id] = text.split(" ") as [Severity, FindingId];
  return { id, severity, title: id, detail: "", remedy: "", evidence: {} };
};

function cause(refusal: string | undefined, ...findings: string[]): string | undefined {
  const said = refusal === undefined ? undefined : finding(refusal);
  const all = [...findings.map(finding), ...(said ? [said] : [])];
  return rank(all, said).rootCause?.id;
}

test("every finding has one rank", () => {
  const source = readFileSync(join(ROOT, "src/model/findings.ts"), "utf8");
  const catalogue = [...source.matchAll(/^ {2}\| "([a-z0-9-]+)"/gm)].map(([, id]) => id ?? "");
  expect(catalogue.length).toBeGreaterThan(50);
  expect([...RANKING].toSorted()).toEqual(catalogue.toSorted());
});

test("only responses of STS are explained by other findings, and by ranked ones", () => {
  for (const [refusal, causes] of Object.entries(EXPLAINED_BY)) {
    expect(refusal).toMatch(/^sts-/);
    expect(causes.filter((id) => !RANKING.includes(id))).toEqual([]);
  }
});

test.each([
  // Advice and information are no cause.
  [undefined, ["advice jwks-slow", "info proxy-in-use"], undefined],
  [undefined, ["advice certificate-expires-soon"], undefined],
  // A firewall, not a slow JWKS.
  [
    "suspect sts-verification-key",
    ["suspect jwks-slow", "suspect issuer-timeout"],
    "issuer-timeout",
  ],
  // The certain finding comes before the suspected one.
  ["suspect sts-verification-key", ["suspect jwks-slow", "fatal jwks-empty"], "jwks-empty"],
  // A finding that STS's refusal is not about does not explain it.
  ["fatal sts-access-denied", ["suspect jwks-slow"], "sts-access-denied"],
  ["fatal sts-access-denied", ["fatal jwks-key-not-found"], "sts-access-denied"],
  ["fatal sts-provider-missing", ["suspect issuer-timeout"], "sts-provider-missing"],
  ["fatal sts-provider-missing", ["fatal discovery-issuer-mismatch"], "discovery-issuer-mismatch"],
  ["fatal sts-audience-refused", ["fatal signature-invalid"], "signature-invalid"],
  ["fatal sts-audience-refused", ["advice token-audience-unexpected"], "sts-audience-refused"],
  // A wrong clock comes before its effects.
  ["fatal sts-token-expired", ["fatal token-expired", "fatal clock-skew"], "clock-skew"],
  // A passing fault does not hide a permanent one.
  ["suspect sts-throttled", ["fatal token-expired"], "token-expired"],
  ["suspect sts-throttled", ["suspect jwks-slow"], "sts-throttled"],
  // Without a refusal, the certain finding comes first, then the nearest.
  [undefined, ["fatal sts-unreachable", "suspect issuer-timeout"], "sts-unreachable"],
  [undefined, ["fatal role-arn-invalid", "fatal token-unreadable"], "token-unreadable"],
  [undefined, ["suspect jwks-slow", "suspect issuer-dns-failure"], "issuer-dns-failure"],
] as const)("after %s, of %j the cause is %s", (refusal, findings, expected) => {
  expect(cause(refusal, ...findings)).toBe(expected);
  expect(cause(refusal, ...findings.toReversed())).toBe(expected);
});

test("the cause comes first, the others follow by weight", () => {
  const refusal = finding("suspect sts-verification-key");
  const others = [
    "info proxy-in-use",
    "advice certificate-expires-soon",
    "advice region-defaulted",
    "suspect issuer-timeout",
  ];
  const { ranked } = rank([...others.map(finding), refusal], refusal);
  expect(ranked.map(({ id }) => id)).toEqual([
    "issuer-timeout",
    "sts-verification-key",
    "region-defaulted",
    "certificate-expires-soon",
    "proxy-in-use",
  ]);
});

test("the cause comes first, even if another finding weighs more", () => {
  const refusal = finding("fatal sts-thumbprint");
  const { ranked } = rank(
    [finding("fatal token-expired"), finding("suspect issuer-tls-untrusted"), refusal],
    refusal,
  );
  expect(ranked.map(({ id }) => id)).toEqual([
    "issuer-tls-untrusted",
    "token-expired",
    "sts-thumbprint",
  ]);
});
