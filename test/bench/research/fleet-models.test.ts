import { describe, expect, test } from "vitest";
import { IssuerCapacity, type Overload } from "../../../bench/research/issuer-capacity.js";
import { IssuerChecks } from "../../../bench/research/issuer-checks.js";
import { ISSUER_MS, STS_MS, StsModel, type StsOptions } from "../../../bench/research/sts-model.js";
import { seededRandom } from "../../../bench/support/seeded-random.js";

const burst = (issuer: IssuerCapacity, atMs: number, requests = 200) =>
  Array.from({ length: requests }, () => issuer.waitMs(atMs)).filter((wait) => wait !== undefined);

describe("an issuer that refuses what is too much", () => {
  test("serves its capacity in any second, after a first second's worth at once", () => {
    const issuer = new IssuerCapacity(50, "refuses");
    const served = Array.from({ length: 10_000 }, (_, ms) => issuer.waitMs(ms));
    expect(served.filter((wait) => wait === 0)).toHaveLength(50 + 50 * 10 - 1);
    expect(issuer.loadBySecond).toEqual(Array(10).fill(20));
    expect([issuer.requests, issuer.peakOverCapacity, issuer.refusalMs]).toEqual([10_000, 20, 0]);
  });

  test("saves no capacity up for longer than a second", () => {
    const issuer = new IssuerCapacity(50, "refuses");
    expect(burst(issuer, 0)).toHaveLength(50);
    expect(burst(issuer, 60_000)).toHaveLength(50);
  });
});

describe("an issuer that lets wait", () => {
  test("serves one after another, and nobody who would wait for longer than STS does", () => {
    const issuer = new IssuerCapacity(50, "queues");
    expect(burst(issuer, 0, 1_000)).toEqual(Array.from({ length: 250 }, (_, turn) => turn * 20));
    expect(issuer.refusalMs).toBe(5_000);
  });

  test("is no slower afterwards for whom it did not serve", () => {
    const issuer = new IssuerCapacity(50, "queues");
    burst(issuer, 0, 1_000);
    expect(issuer.waitMs(4_000)).toBe(1_000);
    expect(issuer.waitMs(60_000)).toBe(0);
  });
});

describe("the peak of an issuer's load", () => {
  test("is that of the busiest second, whenever it begins", () => {
    const issuer = new IssuerCapacity(50, "refuses");
    burst(issuer, 950, 100);
    burst(issuer, 1_050, 100);
    burst(issuer, 2_150, 100);
    expect(issuer.peakOverCapacity).toBe(4);
    expect(Math.max(...issuer.loadBySecond)).toBe(2);
  });
});

describe("an STS", () => {
  const start = (options: StsOptions, overload: Overload = "refuses") => {
    const issuer = new IssuerCapacity(50, overload);
    return { issuer, sts: new StsModel(issuer, options, seededRandom(1)) };
  };
  const call = (sts: StsModel, atMs: number, times: number) =>
    Array.from({ length: times }, () => sts.succeeds(atMs)).filter(Boolean).length;

  test("asks the issuer for every call when it does not hold the JWKS", () => {
    const { issuer, sts } = start({ holdsJwks: false });
    expect([call(sts, 0, 80), issuer.requests]).toEqual([50, 80]);
    expect([sts.calls, sts.failures]).toEqual([80, 30]);
  });

  test("asks once for each cache when it does, from when the JWKS is there and for an hour", () => {
    const { issuer, sts } = start({ holdsJwks: true, caches: 1 });
    call(sts, 0, 2);
    expect(issuer.requests).toBe(2);
    expect([call(sts, ISSUER_MS, 500), issuer.requests, sts.tookMs]).toEqual([500, 2, STS_MS]);
    expect([call(sts, 3_600_000 + ISSUER_MS, 1), issuer.requests]).toEqual([1, 3]);
  });

  test("may remember that there was none, and then asks nobody", () => {
    const { issuer, sts } = start({ holdsJwks: false, caches: 1, remembersFailureMs: 1_000 });
    call(sts, 0, 51);
    expect([call(sts, 1_000 + ISSUER_MS - 1, 100), issuer.requests]).toEqual([0, 51]);
    expect([call(sts, 1_000 + ISSUER_MS, 1), issuer.requests]).toEqual([1, 52]);
  });

  test("answers after five seconds when the issuer lets it wait for longer", () => {
    const { sts } = start({ holdsJwks: false }, "queues");
    const took = Array.from({ length: 251 }, () => (sts.succeeds(0) ? sts.tookMs : -sts.tookMs));
    expect([took[0], took[1]]).toEqual([STS_MS + ISSUER_MS, STS_MS + ISSUER_MS + 20]);
    expect(took.at(-1)).toBe(-(STS_MS + 5_000));
  });
});

describe("a look at the issuer", () => {
  const start = (overload: Overload = "refuses") => {
    const issuer = new IssuerCapacity(50, overload);
    const checks = new IssuerChecks(2, issuer);
    const look = (atMs: number, fresh = false) => {
      const before = issuer.requests;
      const tookMs = checks.check(0, atMs, fresh);
      return { tookMs, requests: issuer.requests - before };
    };
    return { issuer, look };
  };

  test("takes two requests, and none while what it got may be used", () => {
    const { look } = start();
    expect(look(0)).toEqual({ tookMs: 2 * ISSUER_MS, requests: 2 });
    expect(look(100_000)).toEqual({ tookMs: 0, requests: 0 });
    expect(look(100_000, true)).toEqual({ tookMs: 2 * ISSUER_MS, requests: 2 });
    expect(look(129_999, true)).toEqual({ tookMs: 0, requests: 0 });
  });

  test("waits for one that is under way", () => {
    const { look } = start();
    look(0);
    expect(look(50, true)).toEqual({ tookMs: 2 * ISSUER_MS - 50, requests: 0 });
  });

  test("leaves an issuer alone for 30 s that says 429, and longer in the end", () => {
    const { issuer, look } = start();
    const asked: number[] = [];
    for (let at = 0; at < 200_000; at += 100) {
      burst(issuer, at, 100);
      if (look(at, true).requests > 0) asked.push(at);
    }
    const rests = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(rests).toEqual([30_100, 30_100, 30_100, 40_100, 60_100]);
  });

  test("gives up after five seconds at one that lets wait, and rests for as long, doubling", () => {
    const { issuer, look } = start("queues");
    burst(issuer, 0, 1_000);
    expect(look(0)).toEqual({ tookMs: 5_000, requests: 1 });
    expect(look(9_999)).toEqual({ tookMs: 0, requests: 0 });
    burst(issuer, 10_000, 1_000);
    expect(look(10_000)).toEqual({ tookMs: 5_000, requests: 1 });
    expect(look(24_999)).toEqual({ tookMs: 0, requests: 0 });
  });
});
