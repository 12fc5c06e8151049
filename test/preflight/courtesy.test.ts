import { expect, it } from "vitest";
import { createPreflight } from "../../src/preflight/issuer-check.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { anySignal, found, lookWorld } from "./look-world.js";

it("costs one discovery and one JWKS request for 50 providers of one issuer", async () => {
  await using idp = await startLocalIdp();
  const { runtime } = lookWorld();
  const tokens = await Promise.all(Array.from({ length: 50 }, () => idp.issueToken()));
  const reports = await Promise.all(
    tokens.map((token) =>
      createPreflight({ allowPrivateIssuers: true }, runtime).check(token, anySignal()),
    ),
  );
  expect(reports.flatMap(found)).toEqual([]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

it("shares a cache among all that share a clock, without being told to", async () => {
  await using idp = await startLocalIdp();
  const { clock, env } = lookWorld().runtime;
  const token = await idp.issueToken();
  for (let index = 0; index < 2; index += 1) {
    const preflight = createPreflight({ allowPrivateIssuers: true }, { clock, env });
    await preflight.check(token, anySignal());
  }
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

it("says which figures are those of an earlier request", async () => {
  await using idp = await startLocalIdp();
  const { look } = lookWorld();
  const cold = await look(await idp.issueToken());
  expect(cold.requests.map(({ document, fromCache }) => [document, fromCache])).toEqual([
    ["discovery", false],
    ["jwks", false],
  ]);
  expect(cold.requests[1]).toMatchObject({ status: 200, bytes: idp.jwksText.length });
  const warm = await look(await idp.issueToken());
  expect(warm.requests.map(({ fromCache }) => fromCache)).toEqual([true, true]);
});

const MINUTE = 60_000;
const KEPT: readonly [Readonly<Record<string, string | null>>, number][] = [
  [{ "cache-control": null }, 10 * MINUTE],
  [{ "cache-control": "public, max-age=120" }, 2 * MINUTE],
  [{ "cache-control": "max-age=120", age: "60" }, MINUTE],
  [{ "cache-control": "max-age=99999999" }, 24 * 60 * MINUTE],
  [{ "cache-control": "max-age=1" }, MINUTE / 2],
  [{ "cache-control": "no-store" }, MINUTE / 2],
  [
    {
      "cache-control": null,
      expires: "Fri, 02 Jan 2026 03:07:05 GMT",
      date: "Fri, 02 Jan 2026 03:04:05 GMT",
    },
    3 * MINUTE,
  ],
  [{ "cache-control": null, expires: "Fri, 02 Jan 2026 03:07:05 GMT", date: null }, 3 * MINUTE],
  [{ "cache-control": null, expires: "Fri, 02 Jan 2026 03:03:05 GMT", date: null }, MINUTE / 2],
  [{ "cache-control": null, expires: "0", date: null }, MINUTE / 2],
  [{ "cache-control": null, expires: "-1" }, MINUTE / 2],
];

for (const [headers, ms] of KEPT) {
  it(`keeps documents with ${JSON.stringify(headers)} for ${ms / 1000} s`, async () => {
    await using idp = await startLocalIdp();
    idp.setHeaders(headers);
    const { look, clock } = lookWorld();
    await look(await idp.issueToken());
    await clock.advance(ms - 1);
    await look(await idp.issueToken());
    expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
    await clock.advance(1);
    await look(await idp.issueToken());
    expect(idp.counts).toEqual({ discovery: 2, jwks: 2 });
  });
}

it("revalidates with the entity tag, and keeps on with what did not change", async () => {
  await using idp = await startLocalIdp();
  const { look, clock } = lookWorld();
  await look(await idp.issueToken());
  await clock.advance(3_600_000);
  const report = await look(await idp.issueToken());
  expect(report.requests.map(({ status, fromCache }) => [status, fromCache])).toEqual([
    [304, false],
    [304, false],
  ]);
  expect(found(report)).toEqual([]);
  expect(idp.requests[3]?.headers["if-none-match"]).toMatch(/^".+"$/);
});

it("takes a new JWKS at once when the kept one speaks against the token", async () => {
  await using idp = await startLocalIdp({ kid: "same" });
  const { look, clock } = lookWorld();
  await look(await idp.issueToken());
  await clock.advance(60_000);
  await idp.rotateKeys({ kid: "same", keepOldKeys: false });
  expect(found(await look(await idp.issueToken()))).toEqual([]);
});

it("takes a fault back that was put right, 30 s later", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  const { look, clock } = lookWorld();
  expect(found(await look(await idp.issueToken()))).toEqual(["fatal discovery-field-missing"]);
  idp.setDiscovery();
  await clock.advance(30_001);
  expect(found(await look(await idp.issueToken()))).toEqual([]);
});

it("looks again after a failure of STS only at what is older than 30 s", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh, clock } = lookWorld();
  await look(await idp.issueToken());
  await clock.advance(30_000);
  await lookFresh(await idp.issueToken());
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  await clock.advance(1);
  await lookFresh(await idp.issueToken());
  expect(idp.counts).toEqual({ discovery: 2, jwks: 2 });
});

it("is not certain of a fault that it saw before an issuer asked to be left alone", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  idp.setFault({ kind: "rate-limit", on: "jwks", retryAfterSeconds: 3_600 });
  const { look, clock } = lookWorld();
  const token = await idp.issueToken();
  const limited = "suspect jwks-rate-limited";
  // One answer showed the fault. Eight would make it certain, and the issuer asked not to be asked.
  expect(found(await look(token))).toEqual(["suspect discovery-field-missing", limited]);
  await clock.advance(30_001);
  expect(found(await look(token))).toEqual(["suspect discovery-field-missing", limited]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

it("is not certain of a fault in what was kept while the rest could not be fetched", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  idp.setFault({ kind: "status", httpStatus: 500, on: "jwks" });
  const { look, clock } = lookWorld();
  const token = await idp.issueToken();
  const down = "suspect jwks-http-status";
  // One answer showed the fault, and another replica may not have it: the JWKS fails, so no more are asked.
  expect(found(await look(token))).toEqual(["suspect discovery-field-missing", down]);
  idp.setDiscovery();
  await clock.advance(30_001);
  expect(found(await look(token))).toEqual(["suspect discovery-field-missing", down]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 2 });
});

it("does not wait out a failure from before the clock was set back", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "rate-limit", on: "jwks", retryAfterSeconds: 90, times: 1 });
  const { look, clock } = lookWorld();
  expect(found(await look(await idp.issueToken()))).toEqual(["suspect jwks-rate-limited"]);
  clock.setWallClock(clock.now() - 3_600_000);
  expect(found(await look(await idp.issueToken()))).toEqual([]);
});

for (const [retryAfterSeconds, waitMs] of [
  [undefined, 30_000],
  [90, 90_000],
] as const) {
  it(`leaves an issuer alone for ${waitMs / 1000} s after 429 with Retry-After ${retryAfterSeconds}`, async () => {
    await using idp = await startLocalIdp();
    idp.setFault({
      kind: "rate-limit",
      on: "jwks",
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
    const { look, lookFresh, clock } = lookWorld();
    const token = await idp.issueToken();
    const limited = ["suspect jwks-rate-limited"];
    expect(found(await look(token))).toEqual(limited);
    await clock.advance(waitMs - 1);
    expect(found(await lookFresh(token))).toEqual(limited);
    expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
    idp.clearFaults();
    await clock.advance(1);
    expect(found(await look(token))).toEqual([]);
  });
}

it("asks an issuer in trouble less and less often", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "status", httpStatus: 500 });
  const { look, clock } = lookWorld();
  const token = await idp.issueToken();
  for (let second = 0; second < 60; second += 1) {
    expect(found(await look(token))).toEqual(["suspect discovery-http-status"]);
    await clock.advance(1_000);
  }
  // At 0, 5, 15 and 35 s.
  expect(idp.counts.discovery).toBe(4);
});

it("goes on with a visit when the one who waited for it gives up", async () => {
  await using idp = await startLocalIdp();
  const { preflight, look, clock } = lookWorld();
  const token = await idp.issueToken();
  const controller = new AbortController();
  const waiting = preflight.check(token, { signal: controller.signal });
  const joined = look(token);
  controller.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  expect(found(await joined)).toEqual([]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  expect(clock.holds).toBe(0);
  expect(clock.pending).toBe(0);
});

it("asks nobody for one who gave up before the visit began", async () => {
  await using idp = await startLocalIdp();
  const { preflight, clock } = lookWorld();
  const controller = new AbortController();
  const waiting = preflight.check(await idp.issueToken(), { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  expect(clock.scheduled).toEqual([]);
});

it("does not share what a look under other guards found", async () => {
  await using idp = await startLocalIdp();
  const { runtime, look } = lookWorld();
  const token = await idp.issueToken();
  const guarded = createPreflight({}, runtime);
  expect(found(await guarded.check(token, anySignal()))).toEqual(["suspect issuer-private"]);
  expect(found(await look(token))).toEqual([]);
});

it("never keeps the process alive", async () => {
  await using idp = await startLocalIdp();
  const { preflight, clock } = lookWorld();
  const looking = preflight.check(await idp.issueToken(), anySignal());
  expect(clock.holds).toBe(0);
  await looking;
});
