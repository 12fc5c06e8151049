import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { RequestTiming } from "../../src/model/findings.js";
import { slow } from "../../src/preflight/document-findings.js";
import { type IdpFault, startLocalIdp } from "../../src/testing/index.js";
import { anySignal, checkWorld, found } from "./check-world.js";

type Outage = readonly [name: string, fault: IdpFault, discovery: string, jwks: string];

/** What is found when a fault strikes the one document or the other. */
const OUTAGES: readonly Outage[] = [
  ["429", { kind: "rate-limit" }, "discovery-http-status", "jwks-rate-limited"],
  ["500", { kind: "status", httpStatus: 500 }, "discovery-http-status", "jwks-http-status"],
  ["404", { kind: "status", httpStatus: 404 }, "discovery-http-status", "jwks-http-status"],
  ["204", { kind: "status", httpStatus: 204 }, "discovery-http-status", "jwks-http-status"],
  ["304", { kind: "status", httpStatus: 304 }, "discovery-http-status", "jwks-http-status"],
  [
    "an error with status 200",
    { kind: "status", httpStatus: 200 },
    "discovery-not-json",
    "jwks-not-json",
  ],
  [
    "nothing with status 200",
    { kind: "status", httpStatus: 200, body: "" },
    "discovery-not-json",
    "jwks-not-json",
  ],
  ["a page", { kind: "html" }, "discovery-not-json", "jwks-not-json"],
  [
    "a page with 503",
    { kind: "html", httpStatus: 503 },
    "discovery-http-status",
    "jwks-http-status",
  ],
  [
    "a redirect",
    { kind: "redirect", location: "https://elsewhere.invalid/" },
    "issuer-redirects",
    "issuer-redirects",
  ],
  ["a reset", { kind: "reset" }, "issuer-connection-refused", "issuer-connection-refused"],
  [
    "half a document",
    { kind: "truncate" },
    "issuer-connection-refused",
    "issuer-connection-refused",
  ],
];

for (const [name, fault, discovery, jwks] of OUTAGES) {
  test(`nothing in ${name} is fatal`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken();
    for (const [on, id] of Object.entries({ discovery, jwks })) {
      idp.clearFaults();
      idp.setFault({ ...fault, on: on as "discovery" | "jwks" });
      expect(found(await checkWorld().check(token)), on).toEqual([`suspect ${id}`]);
    }
    idp.clearFaults();
    expect(found(await checkWorld().check(token))).toEqual([]);
  });
}

test("a document whose connection broke makes nothing certain, wherever it broke", async () => {
  await using idp = await startLocalIdp({ kid: 'quoted "{[\\\\' });
  const token = await idp.issueToken();
  const { discoveryText, jwksText } = idp;
  for (let share = 0.1; share < 1; share += 0.1) {
    idp.setJwks(jwksText.slice(0, share * jwksText.length));
    expect(found(await checkWorld().check(token))).toEqual(["suspect jwks-not-json"]);
  }
  idp.setDiscovery(discoveryText.slice(0, -1));
  const [finding] = (await checkWorld().check(token)).findings;
  expect(finding).toMatchObject({ id: "discovery-not-json", severity: "suspect" });
  expect(finding?.detail).toMatch(/the beginning of a JSON object that does not end/);
});

for (const kind of ["hang", "trickle"] as const) {
  test(`an issuer that lets the request ${kind} is abandoned after 5 s for both documents`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken();
    for (const [on, id] of [
      ["discovery", "discovery-slow"],
      ["jwks", "jwks-timeout"],
    ] as const) {
      idp.clearFaults();
      idp.resetRequests();
      idp.setFault({ kind, on, ...(kind === "trickle" && { intervalMs: 1_000 }) } as IdpFault);
      const { check, clock } = checkWorld();
      let hasEnded = false;
      const checking = check(token).finally(() => {
        hasEnded = true;
      });
      await expect.poll(() => idp.counts[on], { interval: 1 }).toBe(1);
      await clock.advance(4_999);
      expect(hasEnded, on).toBe(false);
      await clock.advance(1);
      expect(found(await checking), on).toEqual([`suspect ${id}`]);
      await expect.poll(() => idp.connections.open, { interval: 1 }).toBe(0);
    }
  });
}

test("an issuer that refuses connections is reported", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  await idp.refuseConnections();
  const report = await checkWorld().check(token);
  expect(found(report)).toEqual(["suspect issuer-connection-refused"]);
  expect(report.requests).toMatchObject([{ document: "discovery", error: "ECONNREFUSED" }]);
});

test("a name that does not resolve is reported", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  const resolve = () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
  const report = await checkWorld({}, { resolve }).check(token);
  expect(found(report)).toEqual(["suspect issuer-dns-failure"]);
});

test("a resolver that never responds is abandoned when the time is up", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  let isCalled = false;
  const { check, clock } = checkWorld({}, { resolve: () => new Promise(() => (isCalled = true)) });
  const checking = check(token);
  await expect.poll(() => isCalled, { interval: 1 }).toBe(true);
  await clock.advance(5_000);
  expect(found(await checking)).toEqual(["suspect issuer-timeout"]);
});

const took = (document: "discovery" | "jwks", totalMs: number): RequestTiming => ({
  document,
  url: `https://issuer.invalid/${document}`,
  status: 200,
  totalMs,
  fromCache: false,
  bytes: 1,
  headers: {},
});

for (const [discoveryMs, jwksMs, expected] of [
  [2_000, 2_000, []],
  [2_001, 100, ["advice discovery-slow"]],
  [100, 2_001, ["advice jwks-slow"]],
  [100, 5_001, ["suspect jwks-slow"]],
  [5_001, 100, ["suspect discovery-slow"]],
  [1_900, 3_200, ["suspect jwks-slow"]],
  [2_400, 2_700, ["advice discovery-slow", "suspect jwks-slow"]],
] as const) {
  test(`responses in ${discoveryMs} ms and ${jwksMs} ms are ${expected.join(" and ") || "not slow"}`, () => {
    const findings = slow([took("discovery", discoveryMs), took("jwks", jwksMs)]);
    expect(findings.map(({ id, severity }) => `${severity} ${id}`)).toEqual(expected);
  });
}

test("a slow 304 is slow too", () => {
  const findings = slow([took("discovery", 100), { ...took("jwks", 2_001), status: 304 }]);
  expect(findings.map(({ id }) => id)).toEqual(["jwks-slow"]);
});

test("an encoded body is not read, however small it claims to be", async () => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const server = createServer((request, response) => {
    expect(request.headers["accept-encoding"]).toBe("identity");
    response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using idp = await startLocalIdp();
  const iss = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await checkWorld().check(await idp.issueToken({ claims: { iss } }));
  expect(found(report)).toEqual(["suspect discovery-not-json"]);
  expect(report.requests[0]?.bytes).toBe(0);
  server.close();
});

for (const encoding of ["", "identity", "Identity"]) {
  test(`a document with the content-encoding ${JSON.stringify(encoding)} is read as it is`, async () => {
    await using idp = await startLocalIdp({ headers: { "content-encoding": encoding } });
    expect(found(await checkWorld().check(await idp.issueToken()))).toEqual([]);
  });
}

test("reading stops at 512 KiB", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  const filler = (length: number) => ({ filler: "x".repeat(length) });
  idp.setJwks((right) => ({ ...right, ...filler(500 * 1024) }));
  expect(found(await checkWorld().check(token))).toEqual([]);
  idp.setJwks((right) => ({ ...right, ...filler(50 * 1024 * 1024) }));
  const report = await checkWorld().check(token);
  expect(found(report)).toEqual(["suspect jwks-too-large"]);
  expect(report.requests[1]?.bytes).toBeLessThan(1024 * 1024);
  idp.setDiscovery((right) => ({ ...right, ...filler(600 * 1024) }));
  expect(found(await checkWorld().check(token))).toEqual(["suspect discovery-not-json"]);
});

for (const [body, finding] of [
  ["[]", "fatal jwks-not-json"],
  ["not json", "fatal jwks-not-json"],
  ['"keys"', "fatal jwks-not-json"],
  // Some parsers read these; which one STS uses is not known.
  ['{"keys":[],}', "suspect jwks-not-json"],
  ['{"keys":[]} and more', "suspect jwks-not-json"],
  ['// keys\n{"keys":[]}', "suspect jwks-not-json"],
  ["{'keys':[]}", "suspect jwks-not-json"],
  [Buffer.from('{"keys":[]}', "utf16le").toString("latin1"), "suspect jwks-not-json"],
  ['{"keys":[]}', "fatal jwks-empty"],
  ['{"keys":{}}', "suspect jwks-empty"],
  ['{"keys":null}', "suspect jwks-empty"],
  ["[{}]", "suspect jwks-not-json"],
  ["{}", "fatal jwks-empty"],
] as const) {
  test(`the JWKS ${JSON.stringify(body)} is reported as unusable`, async () => {
    await using idp = await startLocalIdp();
    idp.setJwks(body);
    expect(found(await checkWorld().check(await idp.issueToken()))).toEqual([finding]);
  });
}

test("a check with an aborted signal rejects with its reason, and sends no request", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  const signal = AbortSignal.abort(new Error("closed"));
  await expect(checkWorld().preflight.check(token, { signal })).rejects.toThrow("closed");
  expect(idp.counts.discovery).toBe(0);
});

test("the issuer check reports nothing for a token whose issuer is not a URL", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid " } });
  expect(await checkWorld().check(token)).toEqual({ issuer: "", findings: [], requests: [] });
});

test("the issuer check reports nothing for a text that is not a token", async () => {
  const { preflight } = checkWorld();
  for (const token of ["", "opaque", "a.b.c", "e30.e30.e30"]) {
    const report = await preflight.check(token, anySignal());
    expect(report).toEqual({ issuer: "", findings: [], requests: [] });
  }
});
