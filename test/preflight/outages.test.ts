import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import type { RequestTiming } from "../../src/model/issuer-report.js";
import { slow } from "../../src/preflight/document-findings.js";
import { type IdpFault, startLocalIdp } from "../../src/testing/index.js";
import { anySignal, found, lookWorld } from "./look-world.js";

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
  it(`finds nothing fatal in ${name}`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken();
    for (const [on, id] of Object.entries({ discovery, jwks })) {
      idp.clearFaults();
      idp.setFault({ ...fault, on: on as "discovery" | "jwks" });
      expect(found(await lookWorld().look(token)), on).toEqual([`suspect ${id}`]);
    }
    idp.clearFaults();
    expect(found(await lookWorld().look(token))).toEqual([]);
  });
}

it("is certain of nothing that ends too soon, wherever its connection broke", async () => {
  await using idp = await startLocalIdp({ kid: 'quoted "{[\\\\' });
  const token = await idp.issueToken();
  const { discoveryText, jwksText } = idp;
  for (let share = 0.1; share < 1; share += 0.1) {
    idp.setJwks(jwksText.slice(0, share * jwksText.length));
    expect(found(await lookWorld().look(token))).toEqual(["suspect jwks-not-json"]);
  }
  idp.setDiscovery(discoveryText.slice(0, -1));
  const [finding] = (await lookWorld().look(token)).findings;
  expect(finding).toMatchObject({ id: "discovery-not-json", severity: "suspect" });
  expect(finding?.detail).toMatch(/the beginning of a JSON object that does not end/);
});

for (const kind of ["hang", "trickle"] as const) {
  it(`gives up on an issuer that lets it ${kind}, after 5 s for both documents`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken();
    for (const [on, id] of [
      ["discovery", "discovery-slow"],
      ["jwks", "jwks-timeout"],
    ] as const) {
      idp.clearFaults();
      idp.resetRequests();
      idp.setFault({ kind, on, ...(kind === "trickle" && { intervalMs: 1_000 }) } as IdpFault);
      const { look, clock } = lookWorld();
      let hasEnded = false;
      const looking = look(token).finally(() => {
        hasEnded = true;
      });
      await expect.poll(() => idp.counts[on], { interval: 1 }).toBe(1);
      await clock.advance(4_999);
      expect(hasEnded, on).toBe(false);
      await clock.advance(1);
      expect(found(await looking), on).toEqual([`suspect ${id}`]);
      await expect.poll(() => idp.connections.open, { interval: 1 }).toBe(0);
    }
  });
}

it("finds an issuer that refuses connections", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  await idp.refuseConnections();
  const report = await lookWorld().look(token);
  expect(found(report)).toEqual(["suspect issuer-connection-refused"]);
  expect(report.requests).toMatchObject([{ document: "discovery", error: "ECONNREFUSED" }]);
});

it("finds a name that does not resolve", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  const resolve = () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
  const report = await lookWorld({}, { resolve }).look(token);
  expect(found(report)).toEqual(["suspect issuer-dns-failure"]);
});

it("gives up on a resolver that never answers", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  let asked = false;
  const { look, clock } = lookWorld({}, { resolve: () => new Promise(() => (asked = true)) });
  const looking = look(token);
  await expect.poll(() => asked, { interval: 1 }).toBe(true);
  await clock.advance(5_000);
  expect(found(await looking)).toEqual(["suspect issuer-timeout"]);
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
  it(`finds ${expected.join(" and ") || "nothing slow"} in ${discoveryMs} ms and ${jwksMs} ms`, () => {
    const findings = slow([took("discovery", discoveryMs), took("jwks", jwksMs)]);
    expect(findings.map(({ id, severity }) => `${severity} ${id}`)).toEqual(expected);
  });
}

it("finds a slow answer that nothing has changed", () => {
  const findings = slow([took("discovery", 100), { ...took("jwks", 2_001), status: 304 }]);
  expect(findings.map(({ id }) => id)).toEqual(["jwks-slow"]);
});

it("reads no body that is encoded, however small it says it is", async () => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const server = createServer((request, response) => {
    expect(request.headers["accept-encoding"]).toBe("identity");
    response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using idp = await startLocalIdp();
  const iss = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await lookWorld().look(await idp.issueToken({ claims: { iss } }));
  expect(found(report)).toEqual(["suspect discovery-not-json"]);
  expect(report.requests[0]?.bytes).toBe(0);
  server.close();
});

for (const encoding of ["", "identity", "Identity"]) {
  it(`takes a document with the content-encoding ${JSON.stringify(encoding)} as it is`, async () => {
    await using idp = await startLocalIdp({ headers: { "content-encoding": encoding } });
    expect(found(await lookWorld().look(await idp.issueToken()))).toEqual([]);
  });
}

it("stops reading at 512 KiB", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  const filler = (length: number) => ({ filler: "x".repeat(length) });
  idp.setJwks((right) => ({ ...right, ...filler(500 * 1024) }));
  expect(found(await lookWorld().look(token))).toEqual([]);
  idp.setJwks((right) => ({ ...right, ...filler(50 * 1024 * 1024) }));
  const report = await lookWorld().look(token);
  expect(found(report)).toEqual(["suspect jwks-too-large"]);
  expect(report.requests[1]?.bytes).toBeLessThan(1024 * 1024);
  idp.setDiscovery((right) => ({ ...right, ...filler(600 * 1024) }));
  expect(found(await lookWorld().look(token))).toEqual(["suspect discovery-not-json"]);
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
  it(`finds the JWKS ${JSON.stringify(body)} of no use`, async () => {
    await using idp = await startLocalIdp();
    idp.setJwks(body);
    expect(found(await lookWorld().look(await idp.issueToken()))).toEqual([finding]);
  });
}

it("rejects with the reason of a signal that has aborted, and asks nobody", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken();
  const signal = AbortSignal.abort(new Error("closed"));
  await expect(lookWorld().preflight.check(token, { signal })).rejects.toThrow("closed");
  expect(idp.counts.discovery).toBe(0);
});

it("has nothing to say of a token whose issuer is no URL", async () => {
  await using idp = await startLocalIdp();
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid " } });
  expect(await lookWorld().look(token)).toEqual({ issuer: "", findings: [], requests: [] });
});

it("has nothing to say of what is no token", async () => {
  const { preflight } = lookWorld();
  for (const token of ["", "opaque", "a.b.c", "e30.e30.e30"]) {
    const report = await preflight.check(token, anySignal());
    expect(report).toEqual({ issuer: "", findings: [], requests: [] });
  }
});
