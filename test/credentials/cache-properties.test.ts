import fc from "fast-check";
import { expect, test } from "vitest";
import { CacheBench, fail, HOUR, refuse, succeed } from "../support/make-cache.js";

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom<"get" | "force" | "invalidate">(
          "get",
          "get",
          "get",
          "force",
          "invalidate",
        ),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("pass" as const),
        ms: fc.oneof(fc.nat(200), fc.nat(60_000), fc.nat(HOUR * 1000)),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("respond" as const),
        how: fc.constantFrom<"succeed" | "fail" | "refuse">("succeed", "fail", "refuse"),
        delayMs: fc.constantFrom(0, 50, 150, 5_000, 60_000),
      }),
    },
  ),
  { minLength: 1, maxLength: 40 },
);

/** One call, from its beginning to its end, by the monotonic clock. */
interface Call {
  readonly at: number;
  readonly isForced: boolean;
  readonly wasRejected: boolean;
  /** When what was cached at the beginning expires. */
  readonly validUntil: number;
  endedAt?: number;
  failed?: boolean;
  /** When what it got expires. */
  gotUntil?: number;
}

test("callers get valid credentials in time from one refresh at a time, whatever happens in whatever order", async () => {
  const options = fc.record({
    lifetime: fc.constantFrom(90, 600, 900, HOUR),
    aheadOfTime: fc.boolean(),
    serveExpired: fc.boolean(),
    chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(
      options,
      steps,
      async ({ lifetime, aheadOfTime, serveExpired, chance }, plan) => {
        const bench = new CacheBench({ aheadOfTime, serveExpired, random: () => chance });
        const { cache, clock } = bench;
        const wallStart = clock.now();
        const calls: Call[] = [];
        let [refreshes, most] = [0, 0];
        const responses = { succeed, fail, refuse };
        const play = (how: keyof typeof responses) => {
          bench.respond = async (call) => {
            refreshes -= 1;
            return how === "succeed" ? call.issue(lifetime) : responses[how](call);
          };
        };
        bench.onRefresh = () => {
          refreshes += 1;
          most = Math.max(most, refreshes);
        };
        play("succeed");

        const begin = (isForced: boolean) => {
          const { entry, invalidated } = cache.snapshot();
          const call: Call = {
            ...{ at: clock.monotonic(), isForced, wasRejected: invalidated },
            validUntil: (entry?.fetchedAt.monotonic ?? 0) + (entry?.lifetimeMs ?? 0),
          };
          calls.push(call);
          const end = () => Object.assign(call, { endedAt: clock.monotonic() });
          cache.get(isForced ? { forceRefresh: true } : undefined).then(
            ({ expiration }) => {
              Object.assign(end(), { gotUntil: (expiration?.getTime() ?? 0) - wallStart });
            },
            () => Object.assign(end(), { failed: true }),
          );
        };

        for (const step of plan) {
          if (step.do === "pass") await clock.advance(step.ms);
          else if (step.do === "invalidate") cache.invalidate();
          else if (step.do === "respond") {
            // A refresh in progress keeps its response.
            if (cache.snapshot().refreshing) continue;
            play(step.how);
            bench.delayMs = step.delayMs;
          } else begin(step.do === "force");
          await clock.flush();
        }
        await clock.advance(120_000);

        for (const call of calls) {
          const {
            at,
            endedAt = Number.NaN,
            validUntil,
            gotUntil,
            failed,
            isForced,
            wasRejected,
          } = call;
          expect(endedAt, "every caller gets an outcome").toBeGreaterThanOrEqual(at);
          if (failed)
            expect(validUntil, "no failure while anything is valid").toBeLessThanOrEqual(endedAt);
          if (gotUntil !== undefined && !serveExpired)
            expect(gotUntil, "nothing expired").toBeGreaterThan(endedAt);
          const isPatient = !isForced && !wasRejected && validUntil > at + 100;
          if (isPatient)
            expect(endedAt - at, "no wait while anything is valid").toBeLessThanOrEqual(100);
        }
        expect(most, "one refresh at a time").toBeLessThanOrEqual(1);
        cache.close(new Error("closed"));
        await clock.flush();
        expect([clock.holds, cache.snapshot().refreshing]).toEqual([0, false]);
        // The source's own delay may still be running: it does not heed its signal.
        expect(clock.pending).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 300 },
  );
});
