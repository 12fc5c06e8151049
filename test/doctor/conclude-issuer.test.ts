import { expect, test } from "vitest";
import { issuerFindings } from "../../src/doctor/conclude-issuer.js";
import type { AddressFacts, Facts, IssuerFacts } from "../../src/doctor/diagnosis.js";
import type { Finding } from "../../src/model/findings.js";

const alive = { connectMs: 5 };
const late = { error: "timeout" };
const refused = { error: "ECONNREFUSED" };

function address(last: number, family: 4 | 6, rest: Partial<AddressFacts>): AddressFacts {
  const text = family === 4 ? `203.0.113.${last}` : `2001:db8::${last}`;
  return { address: text, family, isPublic: true, ...rest };
}

function facts(issuer: Partial<IssuerFacts>): Facts {
  const known = { issuer: "https://issuer.invalid", host: "issuer.invalid" };
  return {
    startedAt: "2026-01-02T03:04:05.000Z",
    elapsedMs: 1,
    unfinished: [],
    settings: [],
    issuer: { ...known, addresses: [], requests: [], latency: [], ...issuer },
    sts: [],
  };
}

function shown(addresses: readonly AddressFacts[], known: readonly Finding[] = []): string[] {
  const findings = issuerFindings(known, facts({ addresses }));
  return findings.map(({ id, severity }) => `${severity} ${id}`);
}

const seen = (id: Finding["id"], evidence: Finding["evidence"] = {}): Finding => {
  return { id, severity: "suspect", title: "", detail: "", remedy: "", evidence };
};

test.each<[string, readonly AddressFacts[], readonly string[]]>([
  [
    "one of two addresses that does not answer is suspected",
    [address(1, 4, late), address(2, 4, alive)],
    ["suspect issuer-timeout"],
  ],
  [
    "one that refuses connections is suspected",
    [address(1, 4, alive), address(2, 4, refused), address(3, 4, late)],
    ["suspect issuer-connection-refused"],
  ],
  ["addresses that all answer are no finding", [address(1, 4, alive), address(2, 4, alive)], []],
  [
    "broken IPv6 is no finding, because it may be broken on this machine only",
    [address(1, 6, late), address(2, 6, late), address(3, 4, alive)],
    [],
  ],
  [
    "one of two IPv6 addresses that does not answer is suspected",
    [address(1, 6, late), address(2, 6, alive)],
    ["suspect issuer-timeout"],
  ],
  ["an address that was not tried is no finding", [address(1, 4, {}), address(2, 4, alive)], []],
])("%s", (_, addresses, expected) => {
  expect(shown(addresses)).toEqual(expected);
});

test("single addresses are no finding where the issuer check itself got no connection", () => {
  const addresses = [address(1, 4, refused), address(2, 4, alive)];
  expect(shown(addresses, [seen("issuer-timeout")])).toEqual(["suspect issuer-timeout"]);
});

test.each([
  ["issuer-timeout", { phase: "connect" }, "(no answer)"],
  ["issuer-connection-refused", { phase: "connect", code: "ENOTFOUND" }, "(ENOTFOUND)"],
  [
    "issuer-connection-refused",
    { phase: "connect", code: "PROXY_STATUS_407" },
    "(PROXY_STATUS_407)",
  ],
] as const)("%s in %j names the proxy if there is one", (id, evidence, code) => {
  const [finding] = issuerFindings([seen(id, evidence)], facts({ proxy: "http://proxy.invalid" }));
  expect(finding?.detail).toContain(
    `The proxy http://proxy.invalid did not connect to issuer.invalid ${code}`,
  );
  const [plain] = issuerFindings([seen(id, evidence)], facts({}));
  expect(plain?.detail).not.toContain("proxy");
});

test("a failed handshake through a proxy is a fault of the issuer, not of the proxy", () => {
  const cut = seen("issuer-connection-refused", { phase: "tls", code: "ECONNRESET" });
  const [finding] = issuerFindings([cut], facts({ proxy: "http://proxy.invalid" }));
  expect(finding?.detail).not.toContain("proxy");
});
