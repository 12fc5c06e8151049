import type { LookupAddress } from "node:dns";
import { describe, expect, test } from "vitest";
import { problemFinding } from "../../src/preflight/document-findings.js";
import { type FetchProblem, fetchDocument } from "../../src/preflight/fetch-document.js";
import { isPublicAddress, isWithin } from "../../src/preflight/guarded-lookup.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { FakeClock } from "../support/fake-clock.js";
import { makeToken } from "../support/make-token.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import { checkWorld, found } from "./check-world.js";

const REFUSED = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.31.255.255",
  "192.0.0.170",
  "192.168.1.1",
  "198.19.0.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "0:0:0:0:0:ffff:a00:1",
  "64:ff9b:0:0:0:0:a00:1",
  "fd00:1:2:3:4:5:6:7",
  "::ffff:10.0.0.1",
  "::ffff:a9fe:a9fe",
  "64:ff9b::7f00:1",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "",
  "localhost",
];

for (const address of REFUSED) {
  test(`${address || "nothing"} is not a public address`, () => {
    expect(isPublicAddress(address)).toBe(false);
  });
}

for (const address of [
  "1.1.1.1",
  "172.32.0.1",
  "100.128.0.1",
  "223.255.255.255",
  "::ffff:1.1.1.1",
  "0:0:0:0:0:ffff:101:101",
  "2606:4700:1:2:3:4:5:6",
  "64:ff9b::101:101",
  "2606:4700::1111",
  "2a00:1450:4001:80b::200e",
]) {
  test(`${address} is a public address`, () => {
    expect(isPublicAddress(address)).toBe(true);
  });
}

for (const iss of [
  "https://127.0.0.1",
  "https://0x7f.1",
  "https://2130706433",
  "https://[::1]",
  "https://[::ffff:169.254.169.254]",
  "https://169.254.169.254",
  "https://localhost",
  "https://idp.localhost",
  "http://localhost",
]) {
  test(`${iss} gets no request unless private issuers are allowed`, async () => {
    await using idp = await startLocalIdp();
    const issuer = `${iss}:${idp.port}`;
    const { check } = checkWorld({ allowPrivateIssuers: false });
    const report = await check(await idp.issueToken({ claims: { iss: issuer } }));
    expect(found(report)).toEqual(["suspect issuer-private"]);
    expect(idp.connections.total).toBe(0);
  });
}

const LIES: Readonly<Record<string, readonly LookupAddress[]>> = {
  "a loopback address": [{ address: "127.0.0.1", family: 4 }],
  "a mapped loopback address": [{ address: "::ffff:127.0.0.1", family: 6 }],
  "a public and a loopback address": [
    { address: "1.1.1.1", family: 4 },
    { address: "127.0.0.1", family: 4 },
  ],
};

for (const [name, addresses] of Object.entries(LIES)) {
  test(`no connection goes to a name that resolves to ${name}`, async () => {
    await using idp = await startLocalIdp();
    const iss = `https://issuer.invalid:${idp.port}`;
    const resolve = async () => addresses;
    const { check } = checkWorld({ allowPrivateIssuers: false }, { resolve });
    const report = await check(await idp.issueToken({ claims: { iss } }));
    expect(found(report)).toEqual(["suspect issuer-private"]);
    expect(idp.connections.total).toBe(0);
  });
}

test("each connection resolves the name once, so that a second response can't differ", async () => {
  const tls = makeTlsIdentity();
  await using idp = await startLocalIdp({ tls, host: "localhost" });
  let calls = 0;
  const resolve = async () => {
    calls += 1;
    return [{ address: "127.0.0.1", family: 4 }];
  };
  const { check } = checkWorld({}, { resolve, ca: tls.cert as Buffer });
  const report = await check(await idp.issueToken());
  expect(found(report)).toEqual([]);
  expect(calls).toBe(2);
  expect(report.requests.map(({ address }) => address)).toEqual(["127.0.0.1", "127.0.0.1"]);
});

test("the JWKS has the same guards as the issuer", async () => {
  await using idp = await startLocalIdp();
  const transport = { env: {}, resolve: async () => [{ address: "127.0.0.1", family: 4 }] };
  const { signal } = new AbortController();
  const outcome = await fetchDocument(new URL(`https://issuer.invalid:${idp.port}/jwks`), {
    document: "jwks",
    transport,
    reach: "public",
    proxy: undefined,
    clock: new FakeClock(),
    signal,
  });
  expect(outcome).toMatchObject({ problem: { kind: "not-public", address: "127.0.0.1" } });
  expect(idp.connections.total).toBe(0);
});

for (const [jwksUri, finding] of [
  ["http://issuer.invalid/jwks", "suspect discovery-field-missing"],
  ["file:///etc/passwd", "suspect discovery-field-missing"],
  ["data:application/json,{}", "suspect discovery-field-missing"],
  ["https://user:secret@issuer.invalid/jwks", "suspect discovery-field-missing"],
  ["../../etc/passwd", "suspect discovery-field-missing"],
] as const) {
  test(`the jwks_uri ${jwksUri} is not followed`, async () => {
    await using idp = await startLocalIdp();
    idp.setDiscovery((right) => ({ ...right, jwks_uri: jwksUri }));
    const report = await checkWorld().check(await idp.issueToken());
    expect(found(report)).toEqual([finding]);
    expect(report.requests).toHaveLength(1);
  });
}

test("no redirect is followed", async () => {
  await using idp = await startLocalIdp();
  await using other = await startLocalIdp();
  idp.setFault({ kind: "redirect", location: other.discoveryUrl });
  const report = await checkWorld().check(await idp.issueToken());
  expect(found(report)).toEqual(["suspect issuer-redirects"]);
  expect(report.requests[0]?.headers.location).toBe(other.discoveryUrl);
  expect(other.connections.total).toBe(0);
});

test("only allowed issuers get requests", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  const closed = await checkWorld({ allowedIssuers: [`${idp.issuer}/`] }).check(token);
  expect(found(closed)).toEqual(["info issuer-not-allowed"]);
  expect(idp.connections.total).toBe(0);
  expect(found(await checkWorld({ allowedIssuers: [idp.issuer] }).check(token))).toEqual([]);
});

test("a report contains no token and no raw text of a document", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ header: { kid: "\u001b[31mred\n" } });
  idp.setHeaders({ server: token });
  idp.setDiscovery((right) => ({ ...right, issuer: `\u001b[2J${token}` }));
  idp.setJwks({ keys: [{ kid: "\u001b]0;title\u0007", kty: "RSA" }] });
  const report = JSON.stringify(await checkWorld().check(token));
  expect(report).not.toContain(token.split(".")[1]);
  expect(report).not.toContain("\\u001b");
});

test("a report contains no raw text of a document's encoding", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  idp.setHeaders({ "content-encoding": `\u009b2J ${token} ${"x".repeat(1_000)}` });
  const [finding] = (await checkWorld().check(token)).findings;
  expect(finding?.evidence).toMatchObject({
    kind: "encoded",
    encoding: "2J [redacted] xxxxxxxxxxxxxxxxxxxxxxxxxx…",
  });
});

test("names of prototype members are names like any other", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery(
    `{"__proto__":${JSON.stringify({ polluted: true, ...JSON.parse(idp.discoveryText) })}}`,
  );
  const report = await checkWorld().check(await idp.issueToken({ header: { kid: "__proto__" } }));
  expect(found(report)).toEqual([
    "fatal discovery-field-missing",
    "suspect discovery-issuer-mismatch",
  ]);
  expect("polluted" in {}).toBe(false);
});

describe("the address of a JWKS", () => {
  const failed = (url: string, document: "discovery" | "jwks" = "jwks") => ({
    document,
    timing: { document, url, totalMs: 1, fromCache: false, bytes: 0, headers: {} },
    timeoutMs: 5_000,
    proxy: undefined,
  });
  const refused = (address: string): FetchProblem => ({ kind: "not-public", address });
  const unreached: FetchProblem = { kind: "network", code: "ENETUNREACH", phase: "connect" };
  const unresolved: FetchProblem = { kind: "network", code: "ENOTFOUND", phase: "dns" };

  test.each<[string, FetchProblem, boolean]>([
    ["https://10.178.0.2/openid/v1/jwks", refused("10.178.0.2"), true],
    ["https://172.16.0.1:6443/openid/v1/jwks", unreached, true],
    ["https://192.168.1.1/jwks", { kind: "timeout", phase: "connect" }, true],
    ["https://[fd00::1]/jwks", unreached, true],
    ["https://api-int.cluster.invalid:6443/openid/v1/jwks", refused("10.0.0.7"), false],
    ["https://kubernetes.default.svc/openid/v1/jwks", unresolved, false],
    ["https://kubernetes.default.svc.cluster.local/openid/v1/jwks", unresolved, false],
  ])("inside a cluster is reported as such: %s", (url, problem, isConfirmed) => {
    const finding = problemFinding(problem, failed(url));
    expect(finding).toMatchObject({ id: "issuer-private", severity: "suspect" });
    expect(finding.title).toMatch(/cluster's internal address for the JWKS/);
    expect(finding.detail).toContain(url);
    expect(finding.remedy).toMatch(/--service-account-issuer and --service-account-jwks-uri/);
    expect(finding.confirmedBy).toBe(isConfirmed ? "verification-key" : undefined);
  });

  test.each<[string, FetchProblem, string]>([
    ["https://issuer.invalid/jwks", unresolved, "issuer-dns-failure"],
    ["https://1.1.1.1/jwks", unreached, "issuer-connection-refused"],
    ["http://127.0.0.1:1/jwks", unreached, "issuer-connection-refused"],
    ["https://127.0.0.1/jwks", refused("127.0.0.1"), "issuer-private"],
    ["https://10.0.0.1/jwks", { kind: "tls", code: "CERT_HAS_EXPIRED" }, "issuer-tls-untrusted"],
  ])("elsewhere is not reported as such: %s", (url, problem, id) => {
    const finding = problemFinding(problem, failed(url));
    expect(finding.id).toBe(id);
    expect(finding.detail).not.toMatch(/cluster/);
  });

  test("of an issuer that has a cluster's internal name is reported as such, too", () => {
    const url = "https://kubernetes.default.svc.cluster.local/.well-known/openid-configuration";
    const finding = problemFinding(unresolved, failed(url, "discovery"));
    expect(finding).toMatchObject({ id: "issuer-private", severity: "suspect" });
    expect(finding.title).toMatch(/^The issuer is the cluster's internal name/);
    expect(finding.remedy).toMatch(/--service-account-issuer/);
  });
});

describe("RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS", () => {
  const env = { RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true" };

  test("lets the issuer check check an issuer on this machine", async () => {
    await using idp = await startLocalIdp();
    const { check } = checkWorld({ allowPrivateIssuers: undefined }, { env });
    expect(found(await check(await idp.issueToken()))).toEqual([]);
    expect(idp.requests).toHaveLength(2);
  });

  test.each([
    [
      "is not true",
      { allowPrivateIssuers: undefined },
      { ...env, [Object.keys(env)[0] ?? ""]: "1" },
    ],
    ["is overruled by the option", { allowPrivateIssuers: false }, env],
  ])("changes nothing when it %s", async (_, settings, given) => {
    await using idp = await startLocalIdp();
    await checkWorld(settings, { env: given }).check(await idp.issueToken());
    expect(idp.requests).toEqual([]);
  });

  test.each([
    "https://10.1.2.3/keys",
    "https://169.254.169.254/latest",
    "https://[fe80::1]/keys",
    "https://[::ffff:10.1.2.3]/keys",
    "https://private.invalid/keys",
  ])("does not lead such an issuer to the JWKS at %s", async (jwks_uri) => {
    await using idp = await startLocalIdp();
    idp.setDiscovery((right) => ({ ...right, jwks_uri }));
    const resolve = async (name: string) => [
      { address: name === "private.invalid" ? "10.1.2.3" : "127.0.0.1", family: 4 },
    ];
    const { check } = checkWorld({ allowPrivateIssuers: undefined }, { env, resolve });
    const { findings } = await check(await idp.issueToken());
    expect(findings).toMatchObject([{ id: "issuer-private", evidence: { kind: "not-public" } }]);
  });

  test("lets such an issuer name a JWKS on this machine, by name and by every form of its addresses", async () => {
    for (const address of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
      expect([isWithin("loopback", address), isWithin("public", address)]).toEqual([true, false]);
    }
    for (const address of ["203.0.114.7", "2606:4700::1"]) {
      expect(isWithin("loopback", address)).toBe(true);
    }
  });

  test.each(["http://10.1.2.3", "http://169.254.169.254/latest", "http://127.0.0.1.example.com"])(
    "changes nothing for %s",
    async (issuer) => {
      const { check } = checkWorld({ allowPrivateIssuers: undefined }, { env });
      const { requests } = await check(makeToken({ iss: issuer }));
      expect(requests).toEqual([]);
    },
  );
});
