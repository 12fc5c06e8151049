import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { htmlReport } from "../../../src/cli/html/html-report.js";
import { HOSTILE, sampleDiagnosis, sampleFinding, UNPRINTABLE } from "../sample-diagnosis.js";
import { poisoned } from "./reports.js";

describe("the page", () => {
  const page = htmlReport(sampleDiagnosis());

  test("loads nothing and runs nothing", () => {
    expect(page).not.toMatch(/<script|<link|<iframe|<img|\bsrc=|\bhref=|@import|url\(/i);
    expect(page).not.toMatch(/<[^>]*\son[a-z]+=|<[^>]*\sstyle=/i);
  });

  test("allows its own style and nothing else", () => {
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    expect(page).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
  });

  test("has landmarks, one heading of the first level, and tables with headers", () => {
    for (const tag of ["header", "main", "footer", "h1"]) {
      expect(page.split(`<${tag}>`)).toHaveLength(2);
    }
    const tables = page.split("<table").length - 1;
    expect(tables).toBe(7);
    expect(page.split("<caption>")).toHaveLength(tables + 1);
    expect(page).toContain('<html lang="en">');
    expect(page).not.toMatch(/<th(?! scope=)[ >]/);
    // Some browsers do not treat a table that is displayed as blocks as one.
    expect(page).not.toMatch(/<(?:table|thead|tbody|tr|th|td)\b(?![^>]* role=)/);
  });

  test("begins with the verdict, the cause and the remedy, and explains the cause only once", () => {
    const order = ["degraded</strong>", "<h1>The JWKS takes longer", "<dt>Remedy</dt>", "<main>"];
    const places = order.map((text) => page.indexOf(text));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(page.split("serve the JWKS from a cache")).toHaveLength(2);
    expect(page).toContain("(the cause, see above)");
  });

  test("shows each command of a remedy on a line of its own", () => {
    const rootCause = sampleFinding("issuer-timeout", "suspect", {
      remedy: "Network: try from elsewhere.\ncurl 'https://a.example/<x>'\nnc -vz a.example 443",
    });
    const report = htmlReport(sampleDiagnosis({ rootCause, findings: [rootCause] }));
    expect(report).toContain(
      'try from elsewhere.<span class="commands"><code>curl &#39;https://a.example/&lt;x&gt;&#39;</code><code>nc -vz a.example 443</code></span>',
    );
  });

  test("gives no remedy for a response of STS that follows from the cause", () => {
    const rootCause = sampleFinding("jwks-key-not-found", "fatal");
    const refusal = sampleFinding("sts-verification-key", "suspect");
    const findings = [rootCause, refusal, sampleFinding("token-expires-soon", "advice")];
    const report = htmlReport(sampleDiagnosis({ rootCause, findings }));
    expect(report).toContain("follows from the cause, <code>sts-verification-key</code>");
    expect(report).toContain("The values that were seen for sts-verification-key.");
    expect(report).not.toContain("fix sts-verification-key");
    expect(report).toContain("→ IdP: fix token-expires-soon.");
  });

  test("shows no cause for a healthy diagnosis", () => {
    const healthy = htmlReport(
      sampleDiagnosis({ verdict: "healthy", rootCause: null, findings: [] }),
    );
    expect(healthy).toContain(
      "<h1>No problem was found; AssumeRoleWithWebIdentity was not called.</h1>",
    );
    expect(healthy).not.toMatch(/<dt>Remedy|fatal|suspect/);
  });

  test("shows the state of each part in one line", () => {
    const [, summary = ""] = /<ol class="summary"[^>]*>(.*?)<\/ol>/s.exec(page) ?? [];
    const marks = [...summary.matchAll(/aria-label="([^"]+)">.<\/span> ([^<]+)</g)];
    expect(marks.map(([, standing, part]) => `${part}: ${standing}`)).toEqual([
      "Token: advice",
      "Issuer: suspect",
      "Key and signature: in order",
      "STS endpoint: not checked",
      "Role: not checked",
    ]);
  });

  test("never shows a token that was given, and says that it was given", () => {
    const { facts } = sampleDiagnosis();
    const settings = [
      { name: "token", source: "option" },
      { name: "issuer", source: "none" },
    ] as const;
    const report = htmlReport(sampleDiagnosis({ facts: { ...facts, settings } }));
    expect(report).toMatch(/token<\/th><td[^>]*>given, not shown</);
    expect(report).toMatch(/issuer<\/th><td[^>]*>–</);
  });

  test("marks the token's key, and says how long a document may be cached", () => {
    expect(page).toMatch(/<tr role="row" class="own"><th [^>]+><span class="mono">current/);
    expect(page).toContain("600 s, of which 540 s are left");
  });

  test("omits sections without content", () => {
    const { facts } = sampleDiagnosis();
    const { issuer: _issuer, token: _token, ...rest } = facts;
    const bare = htmlReport(sampleDiagnosis({ facts: { ...rest, settings: [] }, timings: [] }));
    const headings = [...bare.matchAll(/<h2>([^<]+)/g)].map(([, heading]) => heading);
    expect(headings).toEqual(["Checks", "Requests", "Settings"]);
    expect(bare).toContain("No request was made.");
  });

  test("escapes everything that comes from outside", () => {
    const { facts } = sampleDiagnosis();
    const odd = { ...facts, startedAt: HOSTILE };
    for (const diagnosis of [sampleDiagnosis(), sampleDiagnosis({ facts: odd })]) {
      const hostile = htmlReport(poisoned(diagnosis));
      expect(hostile).not.toMatch(/<script|<img|<\/svg>-->/);
      expect(hostile.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
      expect(hostile).toContain("&lt;script&gt;");
      expect(hostile).not.toMatch(/="[^"]*'>/);
      expect(tagsOf(hostile)).toEqual(tagsOf(htmlReport(diagnosis)));
    }
  });

  test("escapes the texts of a finding", () => {
    const texts = { title: HOSTILE, detail: HOSTILE, remedy: HOSTILE };
    const cause = sampleFinding("jwks-slow", "fatal", texts);
    const hostile = htmlReport(sampleDiagnosis({ rootCause: cause, findings: [cause] }));
    expect(hostile).not.toMatch(/<script|<img/);
  });
});

/** The names of the tags, without their attributes. */
function tagsOf(html: string): string[] {
  const body = html.replace(/<style>[\s\S]*?<\/style>/, "");
  return [...new Set(body.match(/<\/?[a-z!][a-z0-9]*/gi))].toSorted();
}
