import { describe, expect, test } from "vitest";
import {
  CacheBench,
  fail,
  HOUR,
  outage,
  type Respond,
  refusal,
  refuse,
  succeed,
} from "../support/make-cache.js";
import { readSharedJson } from "../support/shared-data.js";

type Result = "newCredentials" | "cachedCredentials" | "noCredentialsError" | "nonRecoverableError";

interface Scenario {
  readonly documentation: string;
  readonly given: {
    readonly cachedCredentials: keyof typeof LEFT_SECONDS | "none";
    readonly configuredAdvisoryWindowSeconds?: number;
    readonly refreshBackoffSeconds?: number;
  };
  readonly steps: readonly Step[];
}

interface Step {
  readonly type: "getCredentials" | "invalidate" | "advanceTime";
  readonly seconds?: number;
  readonly rejectedAccessKeyId?: string;
  readonly response?: keyof typeof RESPONSES;
  readonly lifetimeSeconds?: number;
  readonly expected?: {
    readonly result: Result;
    readonly sourceContacted: boolean;
    readonly rateLimited: boolean;
    readonly advisoryWindowSeconds?: number;
  };
}

/** What is left of an hour. */
const LEFT_SECONDS = { valid: HOUR, advisory: 600, mandatory: 30, expired: -1 };

const RESPONSES = {
  freshCredentials: succeed,
  error: fail,
  nonRecoverableError: refuse,
  staleCredentials: (async () => ({ accessKeyId: "stale", expiration: new Date(0) })) as Respond,
};

/** Counted from 1, as in the notes on the differences. */
const REFRESH_RUNS_BEHIND = [2, 14, 16];
const NOT_RAISED_WHILE_VALID = [16, 17, 18];
const WITH_SERVE_EXPIRED = [7, 21, 23];
/** Here no failed refresh is repeated immediately: the backoff, 1 s at most at first, must pass. */
const AFTER_THE_BACKOFF = [8];

const scenarios = readSharedJson(
  "credential-refresh-scenarios.json",
  "the refresh scenarios that the AWS SDKs share",
) as Scenario[] | undefined;

/** The bench as a scenario begins. Whatever key ID it speaks of, ours is `AKID-1`. */
async function begin({ given }: Scenario, number: number): Promise<CacheBench> {
  const backoff = given.refreshBackoffSeconds ?? 300;
  const bench = new CacheBench({
    serveExpired: WITH_SERVE_EXPIRED.includes(number),
    windows: { advisoryWindowSeconds: given.configuredAdvisoryWindowSeconds },
    // Uniform between 300 and 600 s.
    random: () => (backoff - 300) / 300,
  });
  if (given.cachedCredentials !== "none") {
    await bench.fill(HOUR, LEFT_SECONDS[given.cachedCredentials]);
  }
  return bench;
}

/** Plays one call; returns what its step expects, as it came out here. */
async function play(bench: CacheBench, { response = "freshCredentials", lifetimeSeconds }: Step) {
  const { calls, cache, clock } = bench;
  const before = { id: cache.snapshot().entry?.credentials.accessKeyId, calls: calls.length };
  const respond = RESPONSES[response];
  bench.respond = respond === succeed ? async ({ issue }) => issue(lifetimeSeconds) : respond;
  const isGated = clock.now() < (cache.snapshot().nextRefreshAllowedAt ?? 0);
  const got = await bench.get();
  await clock.flush();
  const { entry } = cache.snapshot();
  return {
    result: resultOf(got, before.id),
    sourceContacted: calls.length > before.calls,
    rateLimited: isGated && calls.length === before.calls,
    advisoryWindowSeconds: entry && (entry.lifetimeMs - entry.advisoryAfterMs) / 1000,
    settled: entry?.credentials.accessKeyId === before.id ? "cachedCredentials" : "newCredentials",
  };
}

function resultOf(got: unknown, cachedId: string | undefined): Result {
  if (got === outage) return "noCredentialsError";
  if (got === refusal) return "nonRecoverableError";
  return got === cachedId ? "cachedCredentials" : "newCredentials";
}

/** What we expect where the suite expects something else, and why. */
function ours(expected: NonNullable<Step["expected"]>, number: number, index: number) {
  const isRaised = expected.result === "nonRecoverableError";
  if (isRaised && NOT_RAISED_WHILE_VALID.includes(number)) {
    // Served from the cache like any failure, and so with the pause after it.
    return { ...expected, result: "cachedCredentials", rateLimited: index > 0 };
  }
  return expected;
}

describe.runIf(scenarios !== undefined)("the AWS SDKs' refresh scenarios", () => {
  const numbered = (scenarios ?? []).map((scenario, index) => ({ ...scenario, number: index + 1 }));

  test.each(numbered)("$number: $documentation", async (scenario) => {
    const { number, steps } = scenario;
    const bench = await begin(scenario, number);
    for (const [index, step] of steps.entries()) {
      if (step.type === "advanceTime") {
        const { nextRefreshAllowedAt } = bench.cache.snapshot();
        // Where the suite lets a remembered refusal pass, here the pause after a failure must pass.
        const isPaused = NOT_RAISED_WHILE_VALID.includes(number);
        await bench.clock.advance(
          isPaused ? (nextRefreshAllowedAt ?? 0) - bench.clock.now() : (step.seconds ?? 0) * 1000,
        );
      }
      if (step.type === "invalidate") {
        const isCurrent = step.rejectedAccessKeyId === currentId(scenario);
        bench.cache.invalidate(isCurrent ? "AKID-1" : "AKID-0");
      }
      if (step.expected === undefined) continue;
      const expected = ours(step.expected, number, index);
      if (AFTER_THE_BACKOFF.includes(number) && index > 0) await bench.clock.advance(1_000);
      const { settled, ...outcome } = await play(bench, step);
      const behind = REFRESH_RUNS_BEHIND.includes(number) && outcome.result === "cachedCredentials";
      expect({ ...outcome, result: behind ? settled : outcome.result }).toMatchObject(expected);
    }
  });

  test("the suite has twenty-four scenarios", () => {
    expect(numbered).toHaveLength(24);
  });
});

function currentId({ given }: Scenario): string | undefined {
  return (given as { accessKeyId?: string }).accessKeyId;
}
