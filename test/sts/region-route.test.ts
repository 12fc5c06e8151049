import { describe, expect, test } from "vitest";
import type { Verdict } from "../../src/model/failure.js";
import { CircuitBreaker } from "../../src/sts/circuit-breaker.js";
import { RegionRoute } from "../../src/sts/region-route.js";
import type { StsTarget } from "../../src/sts/target.js";
import { FakeClock } from "../support/fake-clock.js";
import { makeTarget } from "../support/make-target.js";

const DOWN = "sts-unavailable";
const IDP = "idp-unreachable";

/** Regions whose circuits stay open for 30 s, and routes through them: one for each refresh. */
function regions(first: string, ...others: string[]) {
  const clock = new FakeClock();
  const names = [first, ...others];
  const targetOf = (region: string) => makeTarget({ region });
  const targets: [StsTarget, ...StsTarget[]] = [targetOf(first), ...others.map(targetOf)];
  const breakers = new Map(names.map((name) => [name, new CircuitBreaker(clock, () => 0)]));
  const breakerOf = (name: string) => breakers.get(name) as CircuitBreaker;
  const startRefresh = () => {
    const route = new RegionRoute({
      targets,
      breakerOf: ({ region }) => breakerOf(region),
      clock,
    });
    return {
      route,
      /** The regions that are asked when each response has this verdict. */
      ask: (...verdicts: (Verdict | "ok")[]) =>
        verdicts.map((verdict) => {
          const handle = route.next();
          const { region } = handle.target;
          if (verdict === "ok") {
            handle.succeeded();
            return region;
          }
          handle.failed(verdict, verdict !== DOWN);
          return `${region}${handle.hasAlternative() ? " immediately" : ""}`;
        }),
    };
  };
  return { clock, breakerOf, startRefresh };
}

describe("a route", () => {
  test("begins with the first region and stays there while it works", () => {
    expect(regions("a", "b").startRefresh().ask("ok", "ok", "ok")).toEqual(["a", "a", "a"]);
  });

  test("calls the regions in order, and immediately while there is another one", () => {
    const called = regions("a", "b", "c").startRefresh().ask(DOWN, DOWN, DOWN);
    expect(called).toEqual(["a immediately", "b immediately", "c"]);
  });

  test("begins again when every region has failed", async () => {
    const { clock, startRefresh } = regions("a", "b");
    const { ask } = startRefresh();
    const called: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      called.push(...ask(DOWN));
      await clock.advance(1_000);
    }
    expect(called).toEqual(["a immediately", "b", "a", "b", "a"]);
  });

  test("with one region calls it every time, whether its circuit is open or closed", () => {
    const { startRefresh, breakerOf } = regions("a");
    expect(startRefresh().ask(DOWN, DOWN, DOWN)).toEqual(["a", "a", "a"]);
    expect(breakerOf("a").openForMs).toBe(30_000);
    expect(startRefresh().ask("ok")).toEqual(["a"]);
  });

  test("with one region does not use up the probe of that region", async () => {
    const { clock, startRefresh, breakerOf } = regions("a");
    breakerOf("a").failed();
    await clock.advance(30_000);
    startRefresh().route.next();
    expect(breakerOf("a").permit()).toBe("probe");
  });

  test("calls a region that another refresh found failing before it repeats one of its own", async () => {
    const { clock, startRefresh, breakerOf } = regions("a", "b");
    const { route, ask } = startRefresh();
    ask(DOWN);
    await clock.advance(1_000);
    breakerOf("b").failed();
    expect([route.peek().region, ...ask("ok")]).toEqual(["b", "b"]);
  });

  test("names a region with a closed circuit when it has called all of them", () => {
    const { route, ask } = regions("a", "b").startRefresh();
    ask(DOWN, IDP, IDP);
    expect([route.peek().region, ...ask("ok")]).toEqual(["b", "b"]);
  });

  test.each<Verdict>([
    "throttled",
    "token-expired",
    "token-early",
    "token-rejected",
    "access-denied",
    "request-invalid",
    "unknown",
  ])("stays in the region after %s", (verdict) => {
    const { ask } = regions("a", "b").startRefresh();
    expect(ask(verdict, verdict, verdict, verdict)).toEqual(["a", "a", "a", "a"]);
  });

  test("names the next region without starting a probe", async () => {
    const { clock, startRefresh } = regions("a", "b");
    startRefresh().ask(DOWN, "ok");
    expect(startRefresh().route.peek().region).toBe("b");
    await clock.advance(30_000);
    const { route } = startRefresh();
    expect([route.peek(), route.peek(), route.next().target].map(({ region }) => region)).toEqual([
      "a",
      "a",
      "a",
    ]);
    expect(startRefresh().route.peek().region).toBe("b");
  });
});

describe("a region where STS can't reach the identity provider", () => {
  test("is skipped after two failures", () => {
    const called = regions("a", "b").startRefresh().ask(IDP, IDP, IDP, IDP, IDP, IDP, IDP);
    expect(called).toEqual(["a", "a immediately", "b", "b", "a", "a immediately", "b"]);
  });

  test("is skipped after two such failures, whatever happens between them", () => {
    const called = regions("a", "b").startRefresh().ask(IDP, "throttled", IDP, IDP);
    expect(called).toEqual(["a", "a", "a immediately", "b"]);
  });

  test("keeps its circuit closed, so that the next refresh begins there", () => {
    const { startRefresh, breakerOf } = regions("a", "b");
    startRefresh().ask(IDP, IDP, "ok");
    expect(breakerOf("a").openForMs).toBe(0);
    expect(startRefresh().ask("ok")).toEqual(["a"]);
  });
});

describe("a region that is disabled for the account", () => {
  test("is not called again in the same refresh, however long that takes", () => {
    const called = regions("a", "b").startRefresh().ask("region-disabled", DOWN, DOWN, DOWN);
    expect(called).toEqual(["a immediately", "b", "b", "b"]);
  });

  test("keeps its circuit closed, because a role of another account may use it", () => {
    const { startRefresh } = regions("a", "b");
    startRefresh().ask("region-disabled", "ok");
    expect(startRefresh().ask("ok")).toEqual(["a"]);
  });

  test("has no alternative when every region is disabled", () => {
    const { ask } = regions("a", "b").startRefresh();
    expect(ask("region-disabled", "region-disabled")).toEqual(["a immediately", "b"]);
  });

  test("sends the refresh back to the regions that only failed", () => {
    const { ask } = regions("a", "b").startRefresh();
    expect(ask(DOWN, "region-disabled", DOWN, "ok")).toEqual([
      "a immediately",
      "b immediately",
      "a",
      "a",
    ]);
  });
});

describe("a region that did not respond", () => {
  test("is skipped by other refreshes until its circuit has been open for long enough", async () => {
    const { clock, startRefresh } = regions("a", "b");
    startRefresh().ask(DOWN, "ok");
    await clock.advance(29_999);
    expect(startRefresh().ask("ok")).toEqual(["b"]);
    await clock.advance(1);
    expect(startRefresh().ask("ok")).toEqual(["a"]);
    expect(startRefresh().ask("ok")).toEqual(["a"]);
  });

  test.each<Verdict>(["sts-unavailable", "sts-blocked"])(
    "has an open circuit with the verdict %s, and is skipped",
    (verdict) => {
      const { startRefresh, breakerOf } = regions("a", "b");
      const { route } = startRefresh();
      const handle = route.next();
      handle.failed(verdict, true);
      expect([breakerOf("a").openForMs, handle.hasAlternative()]).toEqual([30_000, true]);
      expect(route.next().target.region).toBe("b");
    },
  );

  test("keeps its probe when a call that is not the probe is abandoned", async () => {
    const { clock, startRefresh, breakerOf } = regions("a", "b");
    const early = startRefresh().route.next();
    breakerOf("a").failed();
    await clock.advance(30_000);
    const probe = startRefresh().route.next();
    breakerOf("b").failed();
    await clock.advance(1_000);
    breakerOf("b").failed();
    const late = startRefresh().route.next();
    expect([early, probe, late].map(({ target }) => target.region)).toEqual(["a", "a", "a"]);
    early.abandoned();
    late.abandoned();
    expect(breakerOf("a").permit()).toBeUndefined();
  });

  test("has not recovered when its probe fails in this process", async () => {
    const { clock, startRefresh, breakerOf } = regions("a", "b");
    breakerOf("a").failed();
    await clock.advance(30_000);
    startRefresh().route.next().failed("unknown", false);
    expect(breakerOf("a").openForMs).toBe(30_000);
  });

  test("has an open circuit after three hedged calls that another region outpaced", async () => {
    const { clock, startRefresh, breakerOf } = regions("a", "b");
    for (let count = 0; count < 3; count += 1) {
      expect(breakerOf("a").openForMs).toBe(0);
      const call = startRefresh().route.next();
      call.sent();
      await clock.advance(400);
      call.outpaced();
    }
    expect(breakerOf("a").openForMs).toBe(30_000);
  });

  test("keeps a closed circuit after hedged calls that ended before its own was sent", async () => {
    const { clock, startRefresh, breakerOf } = regions("a", "b");
    for (let count = 0; count < 3; count += 1) {
      const call = startRefresh().route.next();
      await clock.advance(400);
      call.outpaced();
    }
    expect(breakerOf("a").openForMs).toBe(0);
  });

  test("is probed by only one refresh", async () => {
    const { clock, startRefresh } = regions("a", "b");
    startRefresh().ask(DOWN, "ok");
    await clock.advance(30_000);
    const called = Array.from({ length: 20 }, () => startRefresh().route.next().target.region);
    expect(called.filter((region) => region === "a")).toHaveLength(1);
  });

  test("is probed by the next refresh when the probe is abandoned", async () => {
    const { clock, startRefresh } = regions("a", "b");
    startRefresh().ask(DOWN, "ok");
    await clock.advance(30_000);
    const probe = startRefresh().route.next();
    const other = startRefresh().route.next();
    expect([probe.target.region, other.target.region]).toEqual(["a", "b"]);
    other.abandoned();
    expect(startRefresh().route.next().target.region).toBe("b");
    probe.abandoned();
    expect(startRefresh().route.next().target.region).toBe("a");
  });

  test.each<Verdict>([IDP, "throttled", "access-denied", "token-rejected", "region-disabled"])(
    "has recovered when its probe gets %s",
    async (verdict) => {
      const { clock, startRefresh, breakerOf } = regions("a", "b");
      startRefresh().ask(DOWN, "ok");
      await clock.advance(30_000);
      expect(startRefresh().ask(verdict)[0]).toMatch(/^a/);
      expect(breakerOf("a").openForMs).toBe(0);
    },
  );

  test("is not an alternative that can be called immediately", () => {
    const { startRefresh } = regions("a", "b");
    startRefresh().ask(DOWN, "ok");
    expect(startRefresh().ask(DOWN)).toEqual(["b"]);
  });

  test("is called when all circuits are open and its own closes first", async () => {
    const { clock, startRefresh } = regions("a", "b");
    const { ask } = startRefresh();
    expect(ask(DOWN)).toEqual(["a immediately"]);
    await clock.advance(1_000);
    expect(ask(DOWN)).toEqual(["b"]);
    await clock.advance(1_000);
    expect(startRefresh().ask(DOWN)).toEqual(["a"]);
    await clock.advance(1_000);
    expect(startRefresh().ask(DOWN)).toEqual(["b"]);
  });
});

describe("a region that is skipped", () => {
  test("is not called again in this round, and stays available to other refreshes", () => {
    const { startRefresh, breakerOf } = regions("a", "b");
    const { route, ask } = startRefresh();
    expect(route.next().skip()).toBe(true);
    expect(ask("throttled", "ok")).toEqual(["b", "b"]);
    expect(breakerOf("a").openForMs).toBe(0);
    expect(startRefresh().ask("ok")).toEqual(["a"]);
  });

  test("always has an alternative, because the last region is never skipped", () => {
    const { route, ask } = regions("a", "b").startRefresh();
    expect(ask(DOWN)).toEqual(["a immediately"]);
    expect(route.next().skip()).toBe(false);
    expect(regions("a").startRefresh().route.next().skip()).toBe(false);
  });

  test("because of another call is one that failed after it was chosen", async () => {
    const { startRefresh, breakerOf, clock } = regions("a", "b");
    const handle = startRefresh().route.next();
    const other = startRefresh().route.next();
    expect(handle.skipIfFailedMeanwhile()).toBe(false);
    await clock.advance(1_000);
    breakerOf("a").failed();
    expect(handle.skipIfFailedMeanwhile()).toBe(true);
    expect(handle.hasAlternative()).toBe(true);
    breakerOf("a").succeeded();
    expect(other.skipIfFailedMeanwhile()).toBe(false);
  });

  test("because of another call is not the one that was chosen after it failed", () => {
    const { startRefresh, breakerOf } = regions("a", "b");
    breakerOf("a").failed();
    breakerOf("b").failed();
    expect(startRefresh().route.next().skipIfFailedMeanwhile()).toBe(false);
  });
});

describe("the region of a hedged request", () => {
  test("is the next one that can be called", () => {
    const { route } = regions("a", "b", "c").startRefresh();
    const first = route.next();
    const hedge = route.hedgeFor(first);
    expect(hedge?.target.region).toBe("b");
    hedge?.failed(DOWN, false);
    expect(route.hedgeFor(first)?.target.region).toBe("c");
  });

  test("does not exist when the other regions failed, are open or are disabled", () => {
    const { route, ask } = regions("a", "b", "c").startRefresh();
    expect(ask(DOWN)).toEqual(["a immediately"]);
    expect(route.hedgeFor(route.next())?.target.region).toBe("c");
    expect(ask("region-disabled")).toEqual(["b immediately"]);
    expect(route.hedgeFor(route.next())).toBeUndefined();
    const alone = regions("a").startRefresh().route;
    expect(alone.hedgeFor(alone.next())).toBeUndefined();
  });
});
