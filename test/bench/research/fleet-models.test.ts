import { describe, expect, test } from "vitest";
import { IssuerCapacity, type Overload } from "../../../bench/research/issuer-capacity.js";
import { IssuerChecks } from "../../../bench/research/issuer-checks.js";
import { ISSUER_MS, STS_MS, StsModel, type StsOptions } from "../../../bench/research/sts-model.js";
import { seededRandom } from "../../../bench/support/seeded-random.js";

const burst = (issuer: IssuerCapacity, atMs: number, requests = 200) =>
  Array.from({ length: requests }, () => issuer.waitMs(atMs)).filter((wait) => wait !== undefined);

describe("an issuer that refuses excess requests", () => {
  test("serves its capacity in any second, after a burst of one second's capacity", () => {
    const issuer = new IssuerCapacity(50, "refuses");
    const served = Array.from({ length: 10_000 }, (_, ms) => issuer.waitMs(ms));
    expect(served.filter((wait) => wait === 0)).toHaveLength(50 + 50 * 10 - 1);
    expect(issuer.loadBySecond).toEqual(Array(10).fill(20));
    expect([issuer.requests, issuer.peakOverCapacity, issuer.refusalMs]).toEqual([10_000, 20, 0]);
  });

  test("accumulates unused capacity for at most one second", () => {
    const issuer = new IssuerCapacity(50, "refuses");
    expect(burst(issuer, 0)).toHaveLength(50);
    expect(burst(issuer, 60_000)).toHaveLength(50);
  });
});

describe("an issuer that queues requests", () => {
  test("serves requests in order, and none that would wait longer than STS does", () => {
    const issuer = new IssuerCapacity(50, "queues");
    expect(burst(issuer, 0, 1_000)).toEqual(Array.from({ length: 250 }, (_, turn) => turn * 20));
    expect(issuer.refusalMs).toBe(5_000);
  });

  test("does not slow down because of requests that it did not serve", () => {
    const issuer = new IssuerCapacity(50, "queues");
    burst(issuer, 0, 1_000);
    expect(issuer.waitMs(4_000)).toBe(1_000);
    expect(issuer.waitMs(60_000)).toBe(0);
  });
});

describe("the peak of an issuer's load", () => {
  test("is the load of the busiest second, whenever that second begins", () => {
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

  test("calls the issuer for every call when it does not cache the JWKS", () => {
    const { issuer, sts } = start({ holdsJwks: false });
    expect([call(sts, 0, 80), issuer.requests]).toEqual([50, 80]);
    expect([sts.calls, sts.failures]).toEqual([80, 30]);
  });

  test("calls the issuer once for each cache when it caches the JWKS for an hour", () => {
    const { issuer, sts } = start({ holdsJwks: true, caches: 1 });
    call(sts, 0, 2);
    expect(issuer.requests).toBe(2);
    expect([call(sts, ISSUER_MS, 500), issuer.requests, sts.tookMs]).toEqual([500, 2, STS_MS]);
    expect([call(sts, 3_600_000 + ISSUER_MS, 1), issuer.requests]).toEqual([1, 3]);
  });

  test("makes no request while it remembers that it got no JWKS", () => {
    const { issuer, sts } = start({ holdsJwks: false, caches: 1, remembersFailureMs: 1_000 });
    call(sts, 0, 51);
    expect([call(sts, 1_000 + ISSUER_MS - 1, 100), issuer.requests]).toEqual([0, 51]);
    expect([call(sts, 1_000 + ISSUER_MS, 1), issuer.requests]).toEqual([1, 52]);
  });

  test("responds after five seconds when the issuer would make it wait longer", () => {
    const { sts } = start({ holdsJwks: false }, "queues");
    const took = Array.from({ length: 251 }, () => (sts.succeeds(0) ? sts.tookMs : -sts.tookMs));
    expect([took[0], took[1]]).toEqual([STS_MS + ISSUER_MS, STS_MS + ISSUER_MS + 20]);
    expect(took.at(-1)).toBe(-(STS_MS + 5_000));
  });
});

describe("a simulated issuer check", () => {
  const start = (overload: Overload = "refuses") => {
    const issuer = new IssuerCapacity(50, overload);
    const checks = new IssuerChecks(2, issuer);
    const check = (atMs: number, fresh = false) => {
      const before = issuer.requests;
      const tookMs = checks.check(0, atMs, fresh);
      return { tookMs, requests: issuer.requests - before };
    };
    return { issuer, check };
  };

  test("makes two requests, and none while it may use the cached documents", () => {
    const { check } = start();
    expect(check(0)).toEqual({ tookMs: 2 * ISSUER_MS, requests: 2 });
    expect(check(100_000)).toEqual({ tookMs: 0, requests: 0 });
    expect(check(100_000, true)).toEqual({ tookMs: 2 * ISSUER_MS, requests: 2 });
    expect(check(129_999, true)).toEqual({ tookMs: 0, requests: 0 });
  });

  test("waits for a check in progress", () => {
    const { check } = start();
    check(0);
    expect(check(50, true)).toEqual({ tookMs: 2 * ISSUER_MS - 50, requests: 0 });
  });

  test("pauses for 30 s after a 429, and for longer after repeated failures", () => {
    const { issuer, check } = start();
    const requestedAt: number[] = [];
    for (let at = 0; at < 200_000; at += 100) {
      burst(issuer, at, 100);
      if (check(at, true).requests > 0) requestedAt.push(at);
    }
    const pauses = requestedAt.slice(1).map((at, index) => at - (requestedAt[index] ?? 0));
    expect(pauses).toEqual([30_100, 30_100, 30_100, 40_100, 60_100]);
  });

  test("stops after five seconds at an issuer that queues requests, then pauses for as long, doubling", () => {
    const { issuer, check } = start("queues");
    burst(issuer, 0, 1_000);
    expect(check(0)).toEqual({ tookMs: 5_000, requests: 1 });
    expect(check(9_999)).toEqual({ tookMs: 0, requests: 0 });
    burst(issuer, 10_000, 1_000);
    expect(check(10_000)).toEqual({ tookMs: 5_000, requests: 1 });
    expect(check(24_999)).toEqual({ tookMs: 0, requests: 0 });
  });
});
