import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { issuerFindings, tryElsewhere } from "../../src/doctor/conclude-issuer.js";
import type { Facts, IssuerFacts } from "../../src/doctor/diagnosis.js";
import type { Finding } from "../../src/model/findings.js";
import { discoveryUrl } from "../../src/preflight/subject.js";

/** Issuers in tokens of strangers, all of them https URLs. */
const HOSTILE = [
  "https://issuer.invalid/$(touch$IFS/tmp/pwned)",
  "https://issuer.invalid/`id`",
  "https://issuer.invalid/a'b\"c;id&id|id>x<y",
  "https://issuer.invalid/\n/id",
  "https://issuer.invalid/a b/*/~/!1/\\",
];

function factsOf(issuer: string): IssuerFacts {
  const url = discoveryUrl(issuer)?.href;
  return { issuer, discoveryUrl: url, addresses: [], requests: [], latency: [] };
}

/** The words of each command, as a shell without other programs reads them. */
function wordsOf(lines: readonly string[], shell: string): string[][] {
  const stub = (name: string) => `${name}() { printf '%s\\n' "${name}" "$@"; printf '\\0'; }`;
  const input = ["PATH=/nonexistent", stub("curl"), stub("npx"), ...lines, ""].join("\n");
  const output = execFileSync(shell, { input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
  return output
    .split("\0")
    .slice(0, -1)
    .map((call) => call.trimEnd().split("\n"));
}

describe("the commands for another network", () => {
  test.each(HOSTILE.flatMap((issuer) => ["bash", "dash"].map((shell) => [shell, issuer] as const)))(
    "run nothing that a token or an issuer wrote, in %s: %j",
    (shell, issuer) => {
      const facts = factsOf(issuer);
      const [curl, doctor, ...more] = wordsOf(tryElsewhere(facts), shell);
      expect(more).toEqual([]);
      expect(curl?.slice(-2)).toEqual(["--url", facts.discoveryUrl]);
      expect(doctor?.slice(1, 4)).toEqual(["resilient-sts", "doctor", "--issuer"]);
      expect(doctor?.[4]).toBe(issuer.replace(/\n/g, ""));
    },
  );

  test("are left out for a URL that was shortened", () => {
    const cut = {
      ...factsOf("https://issuer.invalid/a…"),
      discoveryUrl: "https://issuer.invalid/a…",
    };
    expect(tryElsewhere(cut)).toEqual([]);
  });

  test("follow the remedy, one in each line, and use the URL that failed", () => {
    const issuer = factsOf("https://issuer.invalid");
    const facts: Facts = {
      startedAt: "2026-01-02T03:04:05.000Z",
      elapsedMs: 1,
      unfinished: [],
      settings: [],
      sts: [],
      issuer,
    };
    const finding = (evidence: Finding["evidence"]): Finding => {
      const texts = { title: "It is down.", detail: "It is.", remedy: "IdP: start test." };
      return { id: "issuer-connection-refused", severity: "suspect", ...texts, evidence };
    };
    const remedyOf = (evidence: Finding["evidence"]) =>
      issuerFindings([finding(evidence)], facts)[0]?.remedy.split("\n");
    expect(remedyOf({})).toEqual([
      "IdP: start test. Try from another network:",
      ...tryElsewhere(issuer),
    ]);
    expect(remedyOf({ url: "https://keys.invalid/jwks" })?.[1]).toMatch(
      / --url 'https:\/\/keys\.invalid\/jwks'$/,
    );
  });
});
