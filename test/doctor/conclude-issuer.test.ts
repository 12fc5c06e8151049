import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { issuerFindings, tryElsewhere } from "../../src/doctor/conclude-issuer.js";
import type { AddressFacts, IssuerFacts } from "../../src/doctor/diagnosis.js";
import type { Finding } from "../../src/model/findings.js";
import { discoveryUrl } from "../../src/preflight/subject.js";
import { sampleFacts, sampleFinding, sampleIssuer } from "./sample-facts.js";

const alive = { connectMs: 5 };
const late = { error: "timeout" };
const refused = { error: "ECONNREFUSED" };

function address(last: number, family: 4 | 6, rest: Partial<AddressFacts>): AddressFacts {
  const text = family === 4 ? `203.0.113.${last}` : `2001:db8::${last}`;
  return { address: text, family, isPublic: true, ...rest };
}

const facts = (issuer: Partial<IssuerFacts>) => sampleFacts({ issuer: sampleIssuer(issuer) });

function shown(addresses: readonly AddressFacts[], known: readonly Finding[] = []): string[] {
  const findings = issuerFindings(known, facts({ addresses }));
  return findings.map(({ id, severity }) => `${severity} ${id}`);
}

const seen = (id: Finding["id"], evidence: Finding["evidence"] = {}) =>
  sampleFinding(id, "suspect", evidence);

test.each<[string, readonly AddressFacts[], readonly string[]]>([
  [
    "one of two addresses that does not respond is suspected",
    [address(1, 4, late), address(2, 4, alive)],
    ["suspect issuer-timeout"],
  ],
  [
    "one that refuses connections is suspected",
    [address(1, 4, alive), address(2, 4, refused), address(3, 4, late)],
    ["suspect issuer-connection-refused"],
  ],
  ["addresses that all respond are no finding", [address(1, 4, alive), address(2, 4, alive)], []],
  [
    "broken IPv6 is no finding, because it may be broken on this machine only",
    [address(1, 6, late), address(2, 6, late), address(3, 4, alive)],
    [],
  ],
  [
    "one of two IPv6 addresses that does not respond is suspected",
    [address(1, 6, late), address(2, 6, alive)],
    ["suspect issuer-timeout"],
  ],
  ["an address that was not tried is no finding", [address(1, 4, {}), address(2, 4, alive)], []],
])("%s", (_, addresses, expected) => {
  expect(shown(addresses)).toEqual(expected);
});

test("single addresses are no finding if the issuer check itself got no connection", () => {
  const addresses = [address(1, 4, refused), address(2, 4, alive)];
  expect(shown(addresses, [seen("issuer-timeout")])).toEqual(["suspect issuer-timeout"]);
});

test("a JWKS host that is exempt from the proxy is not blamed on the proxy", () => {
  const url = "https://keys.invalid/jwks";
  const evidence = { url, phase: "connect", code: "ECONNREFUSED" };
  const direct = seen("issuer-connection-refused", evidence);
  const [finding] = issuerFindings([direct], facts({ proxy: "http://proxy.invalid" }));
  expect(finding?.title).toBe(direct.title);
  expect(finding?.detail).not.toContain("proxy");
});

test("a failed handshake through a proxy is a fault of the issuer, not of the proxy", () => {
  const cut = seen("issuer-connection-refused", { phase: "tls", code: "ECONNRESET" });
  const [finding] = issuerFindings([cut], facts({ proxy: "http://proxy.invalid" }));
  expect(finding?.detail).not.toContain("proxy");
});

/** Issuers in tokens of strangers, all of them https URLs. */
const HOSTILE = [
  "https://issuer.invalid/$(touch$IFS/tmp/pwned)",
  "https://issuer.invalid/`id`",
  "https://issuer.invalid/a'b\"c;id&id|id>x<y",
  "https://issuer.invalid/\n/id",
  "https://issuer.invalid/a b/*/~/!1/\\",
];

function factsOf(issuer: string): IssuerFacts {
  return sampleIssuer({ issuer, discoveryUrl: discoveryUrl(issuer)?.href });
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
    const facts = sampleFacts({ issuer });
    const finding = (evidence: Finding["evidence"]): Finding => {
      const texts = { title: "It is down.", detail: "It is.", remedy: "IdP: start it." };
      return { id: "issuer-connection-refused", severity: "suspect", ...texts, evidence };
    };
    const remedyOf = (evidence: Finding["evidence"]) =>
      issuerFindings([finding(evidence)], facts)[0]?.remedy.split("\n");
    expect(remedyOf({})).toEqual([
      "IdP: start it. Try from another network:",
      ...tryElsewhere(issuer),
    ]);
    expect(remedyOf({ url: "https://keys.invalid/jwks" })?.[1]).toMatch(
      / --url 'https:\/\/keys\.invalid\/jwks'$/,
    );
  });
});
