import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { htmlReport } from "../../src/cli/html/html-report.js";
import { HOSTILE, sampleDiagnosis, sampleFinding, UNPRINTABLE } from "./sample-diagnosis.js";

describe("the page", () => {
  const page = htmlReport(sampleDiagnosis());

  it("takes nothing from anywhere, and runs nothing", () => {
    expect(page).not.toMatch(/<script|<link|<iframe|<img|\bsrc=|\bhref=|@import|url\(/i);
    expect(page).not.toMatch(/<[^>]*\son[a-z]+=|<[^>]*\sstyle=/i);
  });

  it("allows its own style and nothing else", () => {
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    expect(page).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
  });

  it("has landmarks, one first heading and headed tables", () => {
    for (const tag of ["header", "main", "footer", "h1"]) {
      expect(page.split(`<${tag}>`)).toHaveLength(2);
    }
    const tables = page.split("<table").length - 1;
    expect(tables).toBeGreaterThanOrEqual(4);
    expect(page.split("<caption>")).toHaveLength(tables + 1);
    expect(page).toContain('<html lang="en">');
    expect(page).not.toMatch(/<th(?! scope=)[ >]/);
  });

  it("draws every request, each with its limit", () => {
    expect(page.match(/<svg role="img" aria-label="[^"]+"/g)).toHaveLength(3);
    expect(page.match(/class="limit"/g)).toHaveLength(3);
    expect(page).toContain("DNS 31 ms, connect 80 ms, TLS 160 ms");
  });

  it("marks the token's key and says how long a document keeps", () => {
    expect(page).toMatch(/<tr class="own"><th scope="row"><span class="mono">current/);
    expect(page).toContain("600 s, of which 540 s are left");
  });

  it("escapes all that comes from the world", () => {
    const cause = sampleFinding("jwks-slow", "fatal", {
      title: HOSTILE,
      detail: HOSTILE,
      remedy: HOSTILE,
    });
    const { facts, timings } = sampleDiagnosis();
    const [timing] = timings;
    const key = { kid: HOSTILE, kty: HOSTILE, usable: false, problem: HOSTILE, matchesToken: true };
    const hostile = htmlReport(
      sampleDiagnosis({
        rootCause: cause,
        findings: [cause],
        timings: timing ? [{ ...timing, label: HOSTILE, url: HOSTILE, error: HOSTILE }] : [],
        facts: {
          ...facts,
          startedAt: HOSTILE,
          settings: [{ name: "roleArn", value: HOSTILE, source: HOSTILE }],
          issuer: {
            issuer: HOSTILE,
            addresses: [{ address: HOSTILE, family: 4, isPublic: true, error: HOSTILE }],
            requests: [
              {
                document: "jwks",
                url: HOSTILE,
                status: 200,
                totalMs: 1,
                fromCache: false,
                bytes: 1,
                headers: { [HOSTILE]: HOSTILE },
              },
            ],
            latency: [],
            keys: [key],
          },
        },
      }),
    );
    expect(hostile).not.toMatch(/<script|<img/);
    expect(hostile.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
    expect(hostile).toContain("&lt;script&gt;");
    expect(hostile).not.toMatch(/="[^"]*'>/);
  });
});
