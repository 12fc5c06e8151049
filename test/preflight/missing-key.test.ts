import { expect, test } from "vitest";
import { RESPONSES_THAT_AGREE } from "../../src/preflight/key-history.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { checkWorld, found } from "./check-world.js";

const SUSPECT = ["suspect jwks-key-not-found"];
const FATAL = ["fatal jwks-key-not-found"];

test("a missing key is suspected after the first fetch, and certain after the second", async () => {
  await using idp = await startLocalIdp();
  const { check, clock } = checkWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await check(token))).toEqual(SUSPECT);
  expect(found(await check(token))).toEqual(SUSPECT);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  await clock.advance(1_000);
  expect(found(await check(token))).toEqual(FATAL);
  // The second check fetches until eight responses agree: each replica may have keys of its own.
  expect(idp.counts).toEqual({ discovery: 1, jwks: RESPONSES_THAT_AGREE });
});

test("after a failure of STS, the check waits for the second fetch", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh, clock } = checkWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await check(token))).toEqual(SUSPECT);
  clock.scheduled.length = 0;
  expect(found(await checkFresh(token, 1_000))).toEqual(FATAL);
  expect(clock.scheduled[0]).toBe(1_000);
  expect(clock.holds).toBe(0);
});

test("the wait for the second fetch ends when the signal aborts", async () => {
  await using idp = await startLocalIdp();
  const { check, preflight, clock } = checkWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  await check(token);
  const controller = new AbortController();
  const waiting = preflight.check(token, { signal: controller.signal, fresh: true });
  await clock.flush();
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(clock.holds).toBe(0);
});

test("a key that was published between two fetches is found", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh } = checkWorld();
  await idp.rotateKeys({ publish: false });
  const token = await idp.issueToken();
  expect(found(await check(token))).toEqual(SUSPECT);
  idp.publishKey(idp.kid);
  expect(found(await checkFresh(token, 1_000))).toEqual([]);
  expect(found(await check(token))).toEqual([]);
  expect(idp.counts.jwks).toBe(2);
});

test("a key that the cached JWKS lacks causes a new fetch immediately", async () => {
  await using idp = await startLocalIdp();
  const { check, clock } = checkWorld();
  await check(await idp.issueToken());
  await clock.advance(5 * 60_000);
  await idp.rotateKeys();
  expect(found(await check(await idp.issueToken()))).toEqual([]);
  expect(idp.counts.jwks).toBe(2);
});

test("both fetches must be newer than the check", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh, clock } = checkWorld();
  await check(await idp.issueToken());
  await clock.advance(5_000);
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await check(token))).toEqual(SUSPECT);
  expect(found(await checkFresh(token, 1_000))).toEqual(FATAL);
  expect(idp.counts.jwks).toBe(RESPONSES_THAT_AGREE);
});

test("unknown keys cause at most two fetches in 30 s, however many there are", async () => {
  await using idp = await startLocalIdp();
  const { check, clock } = checkWorld();
  await check(await idp.issueToken());
  for (let index = 0; index < 14; index += 1) {
    await clock.advance(2_000);
    await check(await idp.issueToken({ header: { kid: `stranger-${index}` } }));
  }
  expect(idp.counts.jwks).toBe(3);
});

test("a missing key causes another fetch after the cooldown, and is not reported once it is published", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh, clock } = checkWorld();
  await idp.rotateKeys({ publish: false });
  const token = await idp.issueToken();
  await check(token);
  expect(found(await checkFresh(token, 1_000))).toEqual(FATAL);
  expect(found(await check(token))).toEqual(FATAL);
  expect(idp.counts.jwks).toBe(RESPONSES_THAT_AGREE);
  idp.publishKey(idp.kid);
  await clock.advance(30_001);
  expect(found(await check(token))).toEqual([]);
});

test("a failed second fetch makes nothing certain", async () => {
  await using idp = await startLocalIdp();
  const { check, checkFresh } = checkWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  await check(token);
  idp.setFault({ kind: "status", httpStatus: 500 });
  expect(found(await checkFresh(token, 1_000))).toEqual(["suspect jwks-http-status"]);
});

test("a thousand missing keys do no harm", async () => {
  await using idp = await startLocalIdp();
  const { check } = checkWorld();
  for (let index = 0; index < 1_000; index += 1) {
    const report = await check(await idp.issueToken({ header: { kid: `stranger-${index}` } }));
    expect(found(report)).toEqual(SUSPECT);
  }
  expect(idp.counts.jwks).toBe(1);
});

test("a fault of a key is not certain if a recent response had the key without the fault", async () => {
  await using idp = await startLocalIdp();
  const { check, clock } = checkWorld();
  idp.setHeaders({ "cache-control": "no-store" });
  const token = await idp.issueToken();
  expect(found(await check(token))).toEqual(["advice jwks-not-cacheable"]);
  const { keys } = JSON.parse(idp.jwksText);
  idp.setJwks({
    keys: [
      { ...keys[0], use: "enc" },
      { ...keys[0], kid: "other" },
    ],
  });
  await clock.advance(30_000);
  const [differs, first] = found(await check(token));
  expect([differs, first]).toEqual(["suspect jwks-inconsistent", "suspect jwks-key-unusable"]);
  await clock.advance(60_000);
  expect(found(await check(token))[0]).toBe("fatal jwks-key-unusable");
});
