import { expect, test } from "vitest";
import { createPreflight } from "../../src/preflight/issuer-check.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { anySignal, checkWorld, found } from "./check-world.js";

test("50 providers of one issuer cause one request for the discovery document and one for the JWKS", async () => {
  await using idp = await startLocalIdp();
  const { runtime } = checkWorld();
  const tokens = await Promise.all(Array.from({ length: 50 }, () => idp.issueToken()));
  const reports = await Promise.all(
    tokens.map((token) =>
      createPreflight({ allowPrivateIssuers: true }, runtime).check(token, anySignal()),
    ),
  );
  expect(reports.flatMap(found)).toEqual([]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

test("all checks with the same clock share a cache by default", async () => {
  await using idp = await startLocalIdp();
  const { clock, env } = checkWorld().runtime;
  const token = await idp.issueToken();
  for (let index = 0; index < 2; index += 1) {
    const preflight = createPreflight({ allowPrivateIssuers: true }, { clock, env });
    await preflight.check(token, anySignal());
  }
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

test("the report marks the timings of an earlier request", async () => {
  await using idp = await startLocalIdp();
  const { check } = checkWorld();
  const cold = await check(await idp.issueToken());
  expect(cold.requests.map(({ document, fromCache }) => [document, fromCache])).toEqual([
    ["discovery", false],
    ["jwks", false],
  ]);
  expect(cold.requests[1]).toMatchObject({ status: 200, bytes: idp.jwksText.length });
  const warm = await check(await idp.issueToken());
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
  test(`documents with ${JSON.stringify(headers)} are cached for ${ms / 1000} s`, async () => {
    await using idp = await startLocalIdp();
    idp.setHeaders(headers);
    const { check, clock } = checkWorld();
    await check(await idp.issueToken());
    await clock.advance(ms - 1);
    await check(await idp.issueToken());
    expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
    await clock.advance(1);
    await check(await idp.issueToken());
    expect(idp.counts).toEqual({ discovery: 2, jwks: 2 });
  });
}

test("a token that STS can't validate causes eight requests for the JWKS once, and then one in 30 s", async () => {
  await using idp = await startLocalIdp();
  const { preflight, clock } = checkWorld();
  const refused = { ...anySignal(), fresh: true, mustAgree: true };
  for (let refresh = 0; refresh < 7; refresh += 1) {
    await preflight.check(await idp.issueToken(), refused);
    await clock.advance(15_001);
  }
  expect(idp.counts.jwks).toBe(8 + 3);
});

test("an expired document is revalidated with its entity tag, and stays in use if it has not changed", async () => {
  await using idp = await startLocalIdp();
  const { check, clock } = checkWorld();
  await check(await idp.issueToken());
  await clock.advance(3_600_000);
  const report = await check(await idp.issueToken());
  expect(report.requests.map(({ status, fromCache }) => [status, fromCache])).toEqual([
    [304, false],
    [304, false],
  ]);
  expect(found(report)).toEqual([]);
  expect(idp.requests[3]?.headers["if-none-match"]).toMatch(/^".+"$/);
});

test("a new JWKS is fetched immediately when the cached one does not fit the token", async () => {
  await using idp = await startLocalIdp({ kid: "same" });
  const { check, clock } = checkWorld();
  await check(await idp.issueToken());
  await clock.advance(60_000);
  await idp.rotateKeys({ kid: "same", keepOldKeys: false });
  expect(found(await check(await idp.issueToken()))).toEqual([]);
});

test("a fault that was corrected is no longer reported 30 s later", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  const { check, clock } = checkWorld();
  expect(found(await check(await idp.issueToken()))).toEqual(["fatal discovery-field-missing"]);
  idp.setDiscovery();
  await clock.advance(30_001);
  expect(found(await check(await idp.issueToken()))).toEqual([]);
});

test("after a failure of STS, only documents that are older than 30 s are fetched again", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh, clock } = checkWorld();
  await check(await idp.issueToken());
  await clock.advance(30_000);
  await checkFresh(await idp.issueToken());
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  await clock.advance(1);
  await checkFresh(await idp.issueToken());
  expect(idp.counts).toEqual({ discovery: 2, jwks: 2 });
});

test("a fault that was found before the issuer limited the rate is not certain", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  idp.setFault({ kind: "rate-limit", on: "jwks", retryAfterSeconds: 3_600 });
  const { check, clock } = checkWorld();
  const token = await idp.issueToken();
  const limited = "suspect jwks-rate-limited";
  // One response showed the fault. Eight would make it certain, but the issuer limits the rate.
  expect(found(await check(token))).toEqual(["suspect discovery-field-missing", limited]);
  await clock.advance(30_001);
  expect(found(await check(token))).toEqual(["suspect discovery-field-missing", limited]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
});

test("a fault in a cached document is not certain while the other document can't be fetched", async () => {
  await using idp = await startLocalIdp();
  idp.setDiscovery((right) => ({ ...right, response_types_supported: undefined }));
  idp.setFault({ kind: "status", httpStatus: 500, on: "jwks" });
  const { check, clock } = checkWorld();
  const token = await idp.issueToken();
  const down = "suspect jwks-http-status";
  // One response showed the fault, and another replica may not have it: the JWKS fails, so no request follows.
  expect(found(await check(token))).toEqual(["suspect discovery-field-missing", down]);
  idp.setDiscovery();
  await clock.advance(30_001);
  expect(found(await check(token))).toEqual(["suspect discovery-field-missing", down]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 2 });
});

test("the pause after a failure ends when the clock is set back", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "rate-limit", on: "jwks", retryAfterSeconds: 90, times: 1 });
  const { check, clock } = checkWorld();
  expect(found(await check(await idp.issueToken()))).toEqual(["suspect jwks-rate-limited"]);
  clock.setWallClock(clock.now() - 3_600_000);
  expect(found(await check(await idp.issueToken()))).toEqual([]);
});

for (const [retryAfterSeconds, waitMs] of [
  [undefined, 30_000],
  [90, 90_000],
] as const) {
  test(`an issuer gets no request for ${waitMs / 1000} s after 429 with Retry-After ${retryAfterSeconds}`, async () => {
    await using idp = await startLocalIdp();
    idp.setFault({
      kind: "rate-limit",
      on: "jwks",
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
    const { check, checkFresh, clock } = checkWorld();
    const token = await idp.issueToken();
    const limited = ["suspect jwks-rate-limited"];
    expect(found(await check(token))).toEqual(limited);
    await clock.advance(waitMs - 1);
    expect(found(await checkFresh(token))).toEqual(limited);
    expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
    idp.clearFaults();
    await clock.advance(1);
    expect(found(await check(token))).toEqual([]);
  });
}

test("an issuer that keeps failing gets requests less and less often", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "status", httpStatus: 500 });
  const { check, clock } = checkWorld();
  const token = await idp.issueToken();
  for (let second = 0; second < 60; second += 1) {
    expect(found(await check(token))).toEqual(["suspect discovery-http-status"]);
    await clock.advance(1_000);
  }
  // At 0, 5, 15 and 35 s.
  expect(idp.counts.discovery).toBe(4);
});

test("requests continue when the check that waits for them is aborted", async () => {
  await using idp = await startLocalIdp();
  const { preflight, check, clock } = checkWorld();
  const token = await idp.issueToken();
  const controller = new AbortController();
  const waiting = preflight.check(token, { signal: controller.signal });
  const joined = check(token);
  controller.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  expect(found(await joined)).toEqual([]);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  expect(clock.holds).toBe(0);
  expect(clock.pending).toBe(0);
});

test("a check that was aborted before it began sends no request", async () => {
  await using idp = await startLocalIdp();
  const { preflight, clock } = checkWorld();
  const controller = new AbortController();
  const waiting = preflight.check(await idp.issueToken(), { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  expect(clock.scheduled).toEqual([]);
});

test("checks with different guards share no documents", async () => {
  await using idp = await startLocalIdp();
  const { runtime, check } = checkWorld();
  const token = await idp.issueToken();
  const guarded = createPreflight({}, runtime);
  expect(found(await guarded.check(token, anySignal()))).toEqual(["suspect issuer-private"]);
  expect(found(await check(token))).toEqual([]);
});

test("a check by a provider never keeps the process alive", async () => {
  await using idp = await startLocalIdp();
  const { preflight, clock } = checkWorld();
  const checking = preflight.check(await idp.issueToken(), anySignal());
  expect(clock.holds).toBe(0);
  await checking;
});
