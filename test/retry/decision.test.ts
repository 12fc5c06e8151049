import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { Failure, Verdict } from "../../src/model/failure.js";
import type { Finding } from "../../src/model/findings.js";
import { type DecisionContext, decide, equalJitterMs } from "../../src/retry/decision.js";
import { readRetryAfter } from "../../src/runtime/time-text.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";

const VERDICTS: readonly Verdict[] = [
  "sts-blocked",
  ...(["idp-unreachable", "throttled", "sts-unavailable", "token-unavailable"] as const),
  ...(["token-invalid", "token-expired", "token-early", "token-rejected"] as const),
  ...(["access-denied", "region-disabled", "request-invalid", "unknown"] as const),
];
const ALMOST_ONE = 1 - Number.EPSILON / 2;
const failure = (facts: Partial<Failure> = {}): Failure => ({
  kind: "response",
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
    backoff: { baseDelayMs: 500, maxDelayMs: 4_000 },
    retryAccessDenied: false,
    random: () => 0.5,
    ...changes,
  };
}

const units = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
const delays = fc.double({ min: 0, max: 2 ** 31, noNaN: true });
const retries = fc.integer({ min: 0, max: 999 });

describe("equal jitter", () => {
  test("is between half of the exponential bound and all of it, and never above the maximum", () => {
    fc.assert(
      fc.property(retries, delays, delays, units, (retry, baseDelayMs, maxDelayMs, random) => {
        const wait = equalJitterMs(retry, { baseDelayMs, maxDelayMs }, () => random);
        const bound = Math.min(maxDelayMs, baseDelayMs * 2 ** retry);
        expect(wait).toBeGreaterThanOrEqual(bound / 2);
        expect(wait).toBeLessThanOrEqual(bound);
      }),
      // Bounds so small that they have no half are rare.
      { examples: [[0, 1.5e-323, 1, ALMOST_ONE]] },
    );
  });

  test("covers the whole upper half: its beginning, its middle, nearly its end", () => {
    const waits = (random: number) =>
      [0, 1, 2, 3, 4, 50].map((retry) =>
        equalJitterMs(retry, { baseDelayMs: 500, maxDelayMs: 4_000 }, () => random),
      );
    expect(waits(0)).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000]);
    expect(waits(0.5)).toEqual([375, 750, 1_500, 3_000, 3_000, 3_000]);
    expect(Math.max(...waits(ALMOST_ONE))).toBeCloseTo(4_000);
  });

  test("uses one random number for a wait, so that two processes wait for different times", () => {
    const random = vi.fn(() => 0.25);
    equalJitterMs(3, { baseDelayMs: 500, maxDelayMs: 4_000 }, random);
    expect(random).toHaveBeenCalledOnce();
  });

  test("is no wait if the base or the maximum is 0", () => {
    expect(equalJitterMs(50, { baseDelayMs: 0, maxDelayMs: 4_000 }, () => 0.5)).toBe(0);
    expect(equalJitterMs(50, { baseDelayMs: 500, maxDelayMs: 0 }, () => 0.5)).toBe(0);
  });
});

describe("whether there is another attempt", () => {
  test.each<[Verdict, number | undefined]>([
    ["idp-unreachable", 375],
    ["sts-unavailable", 375],
    ["throttled", 750],
    ["token-expired", 0],
    ["token-early", 375],
    ["token-unavailable", 375],
    ["unknown", 375],
    ["sts-blocked", 375],
    ["access-denied", undefined],
    ["token-invalid", undefined],
    ["token-rejected", undefined],
    ["region-disabled", undefined],
    ["request-invalid", undefined],
  ])("after %s is decided by the verdict", (verdict, wait) => {
    expect(decide(verdict, context())).toBe(wait);
  });

  test("is delayed more with every failure so far, whatever its verdict", () => {
    const wait = (failures: number) => decide("idp-unreachable", context({ failures }));
    expect([1, 2, 3, 4, 5].map(wait)).toEqual([375, 750, 1_500, 3_000, 3_000]);
  });

  test("is never delayed past the budget, and has time to run", () => {
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

  test("is decided by the budget: there is one if the wait and the attempt just fit, and none a millisecond later", () => {
    expect(decide("sts-unavailable", context({ remainingMs: 1_375 }))).toBe(375);
    expect(decide("sts-unavailable", context({ remainingMs: 1_374 }))).toBeUndefined();
    expect(decide("token-expired", context({ remainingMs: 999 }))).toBeUndefined();
  });
});

describe("another attempt", () => {
  const wait = (
    verdict: Verdict,
    facts: Partial<Failure>,
    changes: Partial<DecisionContext> = {},
  ) => decide(verdict, context({ failure: failure(facts), ...changes }));

  test("follows immediately when another region can be called", () => {
    for (const verdict of ["sts-unavailable", "sts-blocked", "region-disabled"] as const) {
      expect(wait(verdict, { alternative: true })).toBe(0);
    }
  });

  test("is not made in a disabled region, even if denied access is retried", () => {
    expect(wait("region-disabled", {}, { retryAccessDenied: true })).toBeUndefined();
  });

  test("is made with an expired token only if the source may return another one", () => {
    expect(wait("token-expired", { retryable: true })).toBe(0);
    expect(wait("token-expired", { retryable: false })).toBeUndefined();
    expect(wait("token-expired", { sameToken: true })).toBeUndefined();
  });

  test("follows each failure that a token source calls temporary, and none that it calls permanent", () => {
    expect(wait("token-unavailable", { retryable: true }, { timesSeen: 9 })).toBe(375);
    expect(wait("token-unavailable", { retryable: false })).toBeUndefined();
    expect(wait("token-unavailable", {}, { timesSeen: 2 })).toBe(375);
    expect(wait("token-unavailable", {}, { timesSeen: 3 })).toBeUndefined();
  });

  test("follows a refused key only if replicas of the issuer publish different keys", () => {
    const { code, message } = WIRE_ERRORS.notValidated;
    const inconsistent = { ...finding("suspect"), id: "jwks-inconsistent" } as const;
    expect(wait("token-rejected", { code, message, findings: [inconsistent] })).toBe(375);
    expect(wait("token-rejected", { code, message, findings: [finding("suspect")] })).toBe(
      undefined,
    );
  });
});

describe("throttling", () => {
  const wait = (changes: Partial<DecisionContext>) => decide("throttled", context(changes));
  const top = () => ALMOST_ONE;

  test("starts with a wait of a second, however short the configured base is", () => {
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
      expect(wait(0)).toBeGreaterThan(7_000);
      expect(wait(0.5)).toBeGreaterThan(wait(0) ?? Number.NaN);
    },
  );

  test("with a Retry-After beyond the budget is cut to between a quarter and a half of what remains", () => {
    for (const retryAfterMs of [58_501, 3_600_000, Number.POSITIVE_INFINITY]) {
      const cut = (random: number) =>
        wait({ failure: failure({ retryAfterMs }), random: () => random });
      expect([cut(0), cut(0.5), cut(ALMOST_ONE)]).toEqual([15_000, 22_500, 30_000]);
    }
    expect(wait({ failure: failure({ retryAfterMs: 58_500 }), random: () => 0 })).toBe(59_000);
  });
});

describe("for every Retry-After", () => {
  const headers = fc.oneof(
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.date().map((date) => (Number.isNaN(date.getTime()) ? "Invalid Date" : date.toUTCString())),
    fc.constantFrom("", " ", "soon", "1e9", "0x10", "-1", "+5", "NaN", "Infinity", "9".repeat(400)),
    fc.string(),
  );
  const budgets = fc.integer({ min: 1, max: 600_000 });

  test("the waits of a refresh stay within the budget, with another attempt if there is time for one", () => {
    fc.assert(
      fc.property(headers, budgets, units, fc.boolean(), (header, budgetMs, random, isFirst) => {
        const now = Date.UTC(2026, 0, 1);
        const retryAfterMs = readRetryAfter({ "retry-after": header }, now);
        expect(retryAfterMs ?? 0).toBeGreaterThanOrEqual(0);
        const minAttemptMs = Math.min(1_000, budgetMs / 10);
        const verdict = isFirst ? "sts-unavailable" : "throttled";
        const changes = { failure: failure({ retryAfterMs }), minAttemptMs, random: () => random };
        let remainingMs = budgetMs;
        let attempts = 1;
        for (;;) {
          const input = context({
            ...changes,
            remainingMs,
            failures: attempts,
            timesSeen: attempts,
          });
          const waitMs = decide(verdict, input);
          if (waitMs === undefined) break;
          expect(waitMs + minAttemptMs).toBeLessThanOrEqual(remainingMs);
          remainingMs -= waitMs + minAttemptMs;
          attempts += 1;
          expect(attempts).toBeLessThan(1_000);
        }
        const plain = decide(
          verdict,
          context({ ...changes, failure: failure(), remainingMs: budgetMs }),
        );
        expect(attempts > 1).toBe(plain !== undefined);
      }),
    );
  });

  test("a verdict that must not be retried is not", () => {
    const never: Verdict[] = [
      ...(["token-invalid", "token-rejected", "request-invalid", "access-denied"] as const),
      "region-disabled",
    ];
    fc.assert(
      fc.property(headers, fc.constantFrom(...never), (header, verdict) => {
        const retryAfterMs = readRetryAfter({ "retry-after": header }, 0);
        expect(decide(verdict, context({ failure: failure({ retryAfterMs }) }))).toBeUndefined();
      }),
    );
  });
});

describe("a verdict of its own rule", () => {
  test.each<Verdict>(["unknown", "token-unavailable", "sts-blocked"])(
    "%s gets two retries, not a third",
    (verdict) => {
      const isRetried = (timesSeen: number) =>
        decide(verdict, context({ timesSeen })) !== undefined;
      expect([1, 2, 3, 4].map(isRetried)).toEqual([true, true, false, false]);
    },
  );

  test("a blocked connection to STS leads to another region immediately, if there is one", () => {
    const blocked = context({ failure: failure({ alternative: true }), timesSeen: 9 });
    expect(decide("sts-blocked", blocked)).toBe(0);
  });

  test("an expired token is replaced immediately, and the next ones after a wait", () => {
    expect(decide("token-expired", context())).toBe(0);
    expect(decide("token-expired", context({ timesSeen: 2, failures: 2 }))).toBe(750);
  });

  test("an expired token that the source returns again is not retried", () => {
    for (const timesSeen of [1, 2, 9]) {
      const again = context({ failure: failure({ sameToken: true }), timesSeen });
      expect(decide("token-expired", again)).toBeUndefined();
    }
  });

  test("a token that is not valid yet is retried when it is valid, if that fits the budget", () => {
    const wait = (validInMs: number) =>
      decide("token-early", context({ failure: failure({ validInMs }), random: () => 0 }));
    expect(wait(30_000)).toBe(30_250);
    expect(wait(58_750)).toBe(59_000);
    expect(wait(58_751)).toBeUndefined();
  });

  test("a denied role is retried only if the option allows it", () => {
    expect(decide("access-denied", context({ retryAccessDenied: true }))).toBe(375);
    expect(decide("access-denied", context())).toBeUndefined();
  });

  test("an issuer whose documents are unusable is not retried, but a suspicion does not stop the retries", () => {
    const wait = (severity: Finding["severity"]) =>
      decide("idp-unreachable", context({ failure: failure({ findings: [finding(severity)] }) }));
    expect(wait("fatal")).toBeUndefined();
    expect([wait("suspect"), wait("advice"), wait("info")]).toEqual([375, 375, 375]);
  });
});

describe("a token that STS could not validate", () => {
  const refused = (...findings: Finding[]) =>
    decide(
      "token-rejected",
      context({ failure: failure({ ...WIRE_ERRORS.notValidated, findings }) }),
    );
  const inconsistent: Finding = { ...finding("suspect"), id: "jwks-inconsistent" };

  test("is sent again if replicas differ, because another one may have the key that signed it", () => {
    expect(refused(inconsistent)).toBe(375);
    expect(refused()).toBeUndefined();
  });

  test("is not sent again if a finding is certain, or if STS names another cause", () => {
    expect(refused(inconsistent, finding("fatal"))).toBeUndefined();
    const refusal = WIRE_ERRORS.providerNotFound("https://issuer.invalid");
    const other = failure({ ...refusal, findings: [inconsistent] });
    expect(decide("token-rejected", context({ failure: other }))).toBeUndefined();
  });
});
