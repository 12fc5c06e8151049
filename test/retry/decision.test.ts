import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Failure, Verdict } from "../../src/failure.js";
import type { Finding } from "../../src/findings.js";
import { fullJitterMs } from "../../src/retry/backoff.js";
import { type DecisionContext, decide } from "../../src/retry/decision.js";

const VERDICTS: readonly Verdict[] = [
  ...(["idp-unreachable", "throttled", "sts-unavailable", "token-unavailable"] as const),
  ...(["token-invalid", "token-expired", "token-early", "token-rejected"] as const),
  ...(["access-denied", "region-disabled", "request-invalid", "unknown"] as const),
];
const ALMOST_ONE = 1 - Number.EPSILON / 2;
const failure = (facts: Partial<Failure> = {}): Failure => ({
  kind: "answer",
  message: "",
  ...facts,
});
const finding = (severity: Finding["severity"]): Finding => ({
  ...{ id: "jwks-key-not-found", severity, title: "", detail: "", remedy: "", evidence: {} },
});

/** The middle of the jitter, a full budget, the first failure. */
function context(changes: Partial<DecisionContext> = {}): DecisionContext {
  return {
    failure: failure(),
    timesSeen: 1,
    failures: 1,
    remainingMs: 60_000,
    minAttemptMs: 1_000,
    backoff: { baseDelayMs: 500, maxDelayMs: 5_000 },
    retryAccessDenied: false,
    random: () => 0.5,
    ...changes,
  };
}

const units = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
const delays = fc.double({ min: 0, max: 2 ** 31, noNaN: true });
const retries = fc.integer({ min: 0, max: 999 });

describe("full jitter", () => {
  test("lies between 0 and the exponential bound, and never above the maximum", () => {
    fc.assert(
      fc.property(retries, delays, delays, units, (retry, baseDelayMs, maxDelayMs, random) => {
        const wait = fullJitterMs(retry, { baseDelayMs, maxDelayMs }, () => random);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(Math.min(maxDelayMs, baseDelayMs * 2 ** retry));
      }),
    );
  });

  test("takes the whole range: nothing, half, nearly all", () => {
    const wait = (retry: number, random: number) =>
      fullJitterMs(retry, { baseDelayMs: 500, maxDelayMs: 5_000 }, () => random);
    expect([0, 1, 2, 3, 4, 50].map((retry) => wait(retry, 0))).toEqual(Array(6).fill(0));
    expect([0, 1, 2, 3, 4, 50].map((retry) => wait(retry, 0.5))).toEqual([
      250, 500, 1_000, 2_000, 2_500, 2_500,
    ]);
    expect(wait(9, ALMOST_ONE)).toBeCloseTo(5_000);
  });
});

describe("whether there is another attempt", () => {
  test.each<[Verdict, number | undefined]>([
    ["idp-unreachable", 250],
    ["sts-unavailable", 250],
    ["throttled", 500],
    ["token-expired", 0],
    ["token-early", 250],
    ["token-unavailable", 250],
    ["unknown", 250],
    ["access-denied", undefined],
    ["token-invalid", undefined],
    ["token-rejected", undefined],
    ["region-disabled", undefined],
    ["request-invalid", undefined],
  ])("after %s: %j", (verdict, wait) => {
    expect(decide(verdict, context())).toBe(wait);
  });

  test("grows with the failures so far, whatever they were", () => {
    const wait = (failures: number) => decide("idp-unreachable", context({ failures }));
    expect([1, 2, 3, 4, 5].map(wait)).toEqual([250, 500, 1_000, 2_000, 2_500]);
  });

  test("never waits past the budget, and leaves time for the attempt", () => {
    const anyContext = fc.record({
      timesSeen: fc.integer({ min: 1, max: 20 }),
      failures: fc.integer({ min: 1, max: 1_000 }),
      remainingMs: delays,
      minAttemptMs: fc.double({ min: 0, max: 1_000, noNaN: true }),
      retryAccessDenied: fc.boolean(),
      random: units.map((value) => () => value),
      failure: fc
        .record({ retryAfterMs: delays, validInMs: delays }, { requiredKeys: [] })
        .map((facts) => failure(facts)),
    });
    fc.assert(
      fc.property(fc.constantFrom(...VERDICTS), anyContext, (verdict, changes) => {
        const wait = decide(verdict, context(changes));
        if (wait === undefined) return;
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait + changes.minAttemptMs).toBeLessThanOrEqual(changes.remainingMs);
      }),
      { numRuns: 1_000 },
    );
  });

  test("there is one while the wait and the attempt just fit, and none a millisecond later", () => {
    expect(decide("sts-unavailable", context({ remainingMs: 1_250 }))).toBe(250);
    expect(decide("sts-unavailable", context({ remainingMs: 1_249 }))).toBeUndefined();
    expect(decide("token-expired", context({ remainingMs: 999 }))).toBeUndefined();
  });
});

describe("throttling", () => {
  const wait = (changes: Partial<DecisionContext>) => decide("throttled", context(changes));
  const top = () => ALMOST_ONE;

  test("begins at a second, however short the configured base is", () => {
    const backoff = { baseDelayMs: 10, maxDelayMs: 20 };
    expect(wait({ random: top, backoff })).toBeCloseTo(1_000);
    expect(wait({ random: top, backoff, failures: 5 })).toBeCloseTo(1_000);
  });

  test("keeps a longer configured base and maximum", () => {
    const backoff = { baseDelayMs: 3_000, maxDelayMs: 9_000 };
    expect(wait({ random: top, backoff })).toBeCloseTo(3_000);
    expect(wait({ random: top, backoff, failures: 4 })).toBeCloseTo(9_000);
  });

  test.each<Verdict>(["throttled", "sts-unavailable", "idp-unreachable"])(
    "Retry-After is waited for and more, after %s",
    (verdict) => {
      const wait = (random: number) =>
        decide(
          verdict,
          context({ failure: failure({ retryAfterMs: 7_000 }), random: () => random }),
        );
      expect(wait(0)).toBe(7_000);
      expect(wait(0.5)).toBeGreaterThan(7_000);
    },
  );

  test("Retry-After beyond the budget means stop, not come back sooner", () => {
    for (const retryAfterMs of [59_001, 3_600_000, Number.POSITIVE_INFINITY]) {
      expect(wait({ failure: failure({ retryAfterMs }), random: () => 0 })).toBeUndefined();
    }
    expect(wait({ failure: failure({ retryAfterMs: 59_000 }), random: () => 0 })).toBe(59_000);
  });
});

describe("a verdict of its own rule", () => {
  test.each<Verdict>(["unknown", "token-unavailable"])(
    "%s gets two retries, not a third",
    (verdict) => {
      const isRetried = (timesSeen: number) =>
        decide(verdict, context({ timesSeen })) !== undefined;
      expect([1, 2, 3, 4].map(isRetried)).toEqual([true, true, false, false]);
    },
  );

  test("an expired token is replaced at once, the next ones after a wait", () => {
    expect(decide("token-expired", context())).toBe(0);
    expect(decide("token-expired", context({ timesSeen: 2, failures: 2 }))).toBe(500);
  });

  test("an expired token that comes again means stop", () => {
    for (const timesSeen of [1, 2, 9]) {
      const again = context({ failure: failure({ sameToken: true }), timesSeen });
      expect(decide("token-expired", again)).toBeUndefined();
    }
  });

  test("an early token is waited for while that fits the budget", () => {
    const wait = (validInMs: number) =>
      decide("token-early", context({ failure: failure({ validInMs }), random: () => 0 }));
    expect(wait(30_000)).toBe(30_000);
    expect(wait(59_000)).toBe(59_000);
    expect(wait(59_001)).toBeUndefined();
  });

  test("a denied role is retried only where that is asked for", () => {
    expect(decide("access-denied", context({ retryAccessDenied: true }))).toBe(250);
    expect(decide("access-denied", context())).toBeUndefined();
  });

  test("an issuer whose documents cannot work is not waited for; a suspicion is no certainty", () => {
    const wait = (severity: Finding["severity"]) =>
      decide("idp-unreachable", context({ failure: failure({ findings: [finding(severity)] }) }));
    expect(wait("fatal")).toBeUndefined();
    expect([wait("suspect"), wait("advice"), wait("info")]).toEqual([250, 250, 250]);
  });
});
