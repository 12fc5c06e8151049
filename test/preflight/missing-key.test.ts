import { expect, it } from "vitest";
import { ANSWERS_THAT_AGREE } from "../../src/preflight/key-history.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { found, lookWorld } from "./look-world.js";

const SUSPECT = ["suspect jwks-key-not-found"];
const FATAL = ["fatal jwks-key-not-found"];

it("only suspects a missing key at the first look, and is certain at the second", async () => {
  await using idp = await startLocalIdp();
  const { look, clock } = lookWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await look(token))).toEqual(SUSPECT);
  expect(found(await look(token))).toEqual(SUSPECT);
  expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  await clock.advance(1_000);
  expect(found(await look(token))).toEqual(FATAL);
  // The second look asks until eight answers agree: replicas may have a key each.
  expect(idp.counts).toEqual({ discovery: 1, jwks: ANSWERS_THAT_AGREE });
});

it("waits for the second look after a failure of STS", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh, clock } = lookWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await look(token))).toEqual(SUSPECT);
  clock.scheduled.length = 0;
  expect(found(await lookFresh(token, 1_000))).toEqual(FATAL);
  expect(clock.scheduled[0]).toBe(1_000);
  expect(clock.holds).toBe(0);
});

it("stops waiting for the second look with the signal", async () => {
  await using idp = await startLocalIdp();
  const { look, preflight, clock } = lookWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  await look(token);
  const controller = new AbortController();
  const waiting = preflight.check(token, { signal: controller.signal, fresh: true });
  await clock.flush();
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(clock.holds).toBe(0);
});

it("finds a key that was published between two looks", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh } = lookWorld();
  await idp.rotateKeys({ publish: false });
  const token = await idp.issueToken();
  expect(found(await look(token))).toEqual(SUSPECT);
  idp.publishKey(idp.kid);
  expect(found(await lookFresh(token, 1_000))).toEqual([]);
  expect(found(await look(token))).toEqual([]);
  expect(idp.counts.jwks).toBe(2);
});

it("looks at once for a key that is newer than what is kept", async () => {
  await using idp = await startLocalIdp();
  const { look, clock } = lookWorld();
  await look(await idp.issueToken());
  await clock.advance(5 * 60_000);
  await idp.rotateKeys();
  expect(found(await look(await idp.issueToken()))).toEqual([]);
  expect(idp.counts.jwks).toBe(2);
});

it("needs two looks that are both younger than the question", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh, clock } = lookWorld();
  await look(await idp.issueToken());
  await clock.advance(5_000);
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  expect(found(await look(token))).toEqual(SUSPECT);
  expect(found(await lookFresh(token, 1_000))).toEqual(FATAL);
  expect(idp.counts.jwks).toBe(ANSWERS_THAT_AGREE);
});

it("fetches for unknown keys at most twice in 30 s, however many there are", async () => {
  await using idp = await startLocalIdp();
  const { look, clock } = lookWorld();
  await look(await idp.issueToken());
  for (let index = 0; index < 14; index += 1) {
    await clock.advance(2_000);
    await look(await idp.issueToken({ header: { kid: `stranger-${index}` } }));
  }
  expect(idp.counts.jwks).toBe(3);
});

it("looks again for a missing key when the cooldown is over, and takes it back", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh, clock } = lookWorld();
  await idp.rotateKeys({ publish: false });
  const token = await idp.issueToken();
  await look(token);
  expect(found(await lookFresh(token, 1_000))).toEqual(FATAL);
  expect(found(await look(token))).toEqual(FATAL);
  expect(idp.counts.jwks).toBe(ANSWERS_THAT_AGREE);
  idp.publishKey(idp.kid);
  await clock.advance(30_001);
  expect(found(await look(token))).toEqual([]);
});

it("does not let a failed second look make certain", async () => {
  await using idp = await startLocalIdp();
  const { look, lookFresh } = lookWorld();
  const token = await idp.issueToken({ header: { kid: "nobody" } });
  await look(token);
  idp.setFault({ kind: "status", httpStatus: 500 });
  expect(found(await lookFresh(token, 1_000))).toEqual(["suspect jwks-http-status"]);
});

it("survives a thousand missing keys", async () => {
  await using idp = await startLocalIdp();
  const { look } = lookWorld();
  for (let index = 0; index < 1_000; index += 1) {
    const report = await look(await idp.issueToken({ header: { kid: `stranger-${index}` } }));
    expect(found(report)).toEqual(SUSPECT);
  }
  expect(idp.counts.jwks).toBe(1);
});

it("is certain of nothing about a key that another answer showed otherwise a moment ago", async () => {
  await using idp = await startLocalIdp();
  const { look, clock } = lookWorld();
  idp.setHeaders({ "cache-control": "no-store" });
  const token = await idp.issueToken();
  expect(found(await look(token))).toEqual(["advice jwks-not-cacheable"]);
  const { keys } = JSON.parse(idp.jwksText);
  idp.setJwks({
    keys: [
      { ...keys[0], use: "enc" },
      { ...keys[0], kid: "other" },
    ],
  });
  await clock.advance(30_000);
  const [differs, first] = found(await look(token));
  expect([differs, first]).toEqual(["suspect jwks-inconsistent", "suspect jwks-key-unusable"]);
  await clock.advance(60_000);
  expect(found(await look(token))[0]).toBe("fatal jwks-key-unusable");
});
