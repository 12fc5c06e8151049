import { describe, expect, test } from "vitest";
import { CANDIDATES, OURS, type Policy, REFERENCE } from "../../../bench/research/policy.js";
import { NO_KEY } from "../../../bench/research/sts-model.js";
import { WorkloadLoop } from "../../../bench/research/workload-loop.js";
import { seededRandom } from "../../../bench/support/seeded-random.js";
import { AttemptError } from "../../../src/model/failure.js";
import { retryLoop } from "../../../src/retry/retry-loop.js";
import { sleep } from "../../../src/runtime/abort.js";
import { startDeadline } from "../../../src/runtime/clock.js";
import { FakeClock } from "../../support/fake-clock.js";

const CALL_MS = 100;

/** The waits of the library's own loop against an STS that never gets the key. */
async function realWaits({ retry }: Policy, seed: number): Promise<(number | undefined)[]> {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const waits: (number | undefined)[] = [];
  const attempt = async () => {
    await sleep(clock, CALL_MS, signal);
    throw new AttemptError(NO_KEY);
  };
  const loop = retryLoop(attempt, {
    ...{ retry, clock, signal, retryAccessDenied: false, random: seededRandom(seed) },
    deadline: startDeadline(clock, retry.budgetMs),
    onAttemptFailed: ({ waitMs }) => waits.push(waitMs),
  });
  await clock.run(loop.catch(() => {}));
  return waits;
}

function simulatedWaits(policy: Policy, seed: number): (number | undefined)[] {
  const loop = new WorkloadLoop(policy, seededRandom(seed));
  const waits: (number | undefined)[] = [];
  for (let now = CALL_MS; ; now += CALL_MS) {
    const wait = loop.waitAfter(waits.length + 1, now, waits.at(-1) ?? 0);
    waits.push(wait);
    if (wait === undefined) return waits;
    now += wait;
  }
}

const rounded = (waits: readonly (number | undefined)[]) =>
  waits.map((wait) => wait && Math.round(wait));

describe("a workload of the simulation", () => {
  test("waits and stops exactly like the library's own retry loop", async () => {
    const shapes = [{}, { maxAttempts: 4 }, { budgetMs: 5_000 }, { baseDelayMs: 3_000 }];
    for (const shape of shapes) {
      const policy = { ...OURS, retry: { ...OURS.retry, ...shape } };
      // Often enough for a wait that just fits the budget, and for one that just does not.
      for (let seed = 0; seed < 30; seed += 1) {
        const real = await realWaits(policy, seed);
        expect(rounded(simulatedWaits(policy, seed))).toEqual(real);
      }
    }
  });

  test("waits by another curve within the same budget and attempts", () => {
    const waits = simulatedWaits(REFERENCE, 1);
    const random = seededRandom(1);
    const drawn = waits.map((_, retry) => random() * Math.min(5_000, 500 * 2 ** retry));
    expect(rounded(waits.slice(0, -1))).toEqual(rounded(drawn.slice(0, -1)));
    expect(waits.length).toBeLessThanOrEqual(20);
  });

  test.each(CANDIDATES)("never waits longer than the maximum with $name", (policy) => {
    for (const wait of simulatedWaits(policy, 7)) {
      expect(wait ?? 0).toBeGreaterThanOrEqual(0);
      expect(wait ?? 0).toBeLessThanOrEqual(policy.retry.maxDelayMs);
    }
  });
});
