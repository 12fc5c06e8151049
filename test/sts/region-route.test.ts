import { describe, expect, test } from "vitest";
import type { Verdict } from "../../src/model/failure.js";
import { CircuitBreaker } from "../../src/sts/circuit-breaker.js";
import { RegionRoute } from "../../src/sts/region-route.js";
import { FakeClock } from "../support/fake-clock.js";
import { makeTarget } from "../support/make-target.js";

const DOWN = "sts-unavailable";
const IDP = "idp-unreachable";

/** Regions with breakers that rest 30 s, and routes through them: one for each refresh. */
function regions(...names: string[]) {
  const clock = new FakeClock();
  const targets = names.map((region) => makeTarget({ region }));
  const breakers = new Map(names.map((name) => [name, new CircuitBreaker(() => 0)]));
  const breakerOf = (name: string) => breakers.get(name) as CircuitBreaker;
  const route = () => {
    const way = new RegionRoute(targets, ({ region }) => breakerOf(region), clock);
    return {
      way,
      /** The regions that are asked when each answer has this verdict. */
      ask: (...verdicts: (Verdict | "ok")[]) =>
        verdicts.map((verdict) => {
          const target = way.next();
          if (verdict !== DOWN) way.answered(target);
          if (verdict === "ok") return target.region;
          way.failed(target, verdict);
          return `${target.region}${way.canMoveOn(target) ? " at once" : ""}`;
        }),
    };
  };
  return { clock, targets, breakerOf, route };
}

describe("a route", () => {
  test("begins with the first region and stays there while it works", () => {
    expect(regions("a", "b").route().ask("ok", "ok", "ok")).toEqual(["a", "a", "a"]);
  });

  test("goes through the regions in their order, at once while there is another", () => {
    const asked = regions("a", "b", "c").route().ask(DOWN, DOWN, DOWN);
    expect(asked).toEqual(["a at once", "b at once", "c"]);
  });

  test("begins again when every region has failed", async () => {
    const { clock, route } = regions("a", "b");
    const { ask } = route();
    const asked: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      asked.push(...ask(DOWN));
      await clock.advance(1_000);
    }
    expect(asked).toEqual(["a at once", "b", "a", "b", "a"]);
  });

  test("with one region asks it every time, resting or not", () => {
    const { route, breakerOf, clock } = regions("a");
    expect(route().ask(DOWN, DOWN, DOWN)).toEqual(["a", "a", "a"]);
    expect(breakerOf("a").openUntil(clock.now())).toBeDefined();
    expect(route().ask("ok")).toEqual(["a"]);
  });

  test.each<Verdict>([
    "throttled",
    "token-expired",
    "token-early",
    "token-rejected",
    "access-denied",
    "request-invalid",
    "unknown",
  ])("stays where it is after %s", (verdict) => {
    const { ask } = regions("a", "b").route();
    expect(ask(verdict, verdict, verdict, verdict)).toEqual(["a", "a", "a", "a"]);
  });

  test("knows nothing of a target that is not its own", () => {
    const { way } = regions("a", "b").route();
    const stranger = makeTarget({ region: "c" });
    way.answered(stranger);
    way.failed(stranger, DOWN);
    expect(way.canMoveOn(stranger)).toBe(false);
    expect(way.next().region).toBe("a");
  });
});

describe("a region where STS cannot reach the identity provider", () => {
  test("is left after two tries", () => {
    const asked = regions("a", "b").route().ask(IDP, IDP, IDP, IDP, IDP, IDP, IDP);
    expect(asked).toEqual(["a", "a at once", "b", "b", "a", "a at once", "b"]);
  });

  test("is left after two such failures, whatever comes between", () => {
    const asked = regions("a", "b").route().ask(IDP, "throttled", IDP, IDP);
    expect(asked).toEqual(["a", "a", "a at once", "b"]);
  });

  test("does not rest: the next refresh begins there", () => {
    const { route, breakerOf, clock } = regions("a", "b");
    route().ask(IDP, IDP, "ok");
    expect(breakerOf("a").openUntil(clock.now())).toBeUndefined();
    expect(route().ask("ok")).toEqual(["a"]);
  });
});

describe("a region that is switched off for the account", () => {
  test("is not asked again in the same refresh, however long that goes on", () => {
    const asked = regions("a", "b").route().ask("region-disabled", DOWN, DOWN, DOWN);
    expect(asked).toEqual(["a at once", "b", "b", "b"]);
  });

  test("does not rest: another role may be at home there", () => {
    const { route } = regions("a", "b");
    route().ask("region-disabled", "ok");
    expect(route().ask("ok")).toEqual(["a"]);
  });

  test("is the end when every region is", () => {
    const { ask } = regions("a", "b").route();
    expect(ask("region-disabled", "region-disabled")).toEqual(["a at once", "b"]);
  });

  test("sends the refresh back to those that only failed", () => {
    const { ask } = regions("a", "b").route();
    expect(ask(DOWN, "region-disabled", DOWN, "ok")).toEqual(["a at once", "b at once", "a", "a"]);
  });
});

describe("a region that did not answer", () => {
  test("is passed over by the next refresh, until its rest is over", async () => {
    const { clock, route } = regions("a", "b");
    route().ask(DOWN, "ok");
    await clock.advance(29_999);
    expect(route().ask("ok")).toEqual(["b"]);
    await clock.advance(1);
    expect(route().ask("ok")).toEqual(["a"]);
    expect(route().ask("ok")).toEqual(["a"]);
  });

  test("is tried by one refresh alone after its rest", async () => {
    const { clock, route } = regions("a", "b");
    route().ask(DOWN, "ok");
    await clock.advance(30_000);
    const first = Array.from({ length: 20 }, () => route().way.next().region);
    expect(first.filter((region) => region === "a")).toHaveLength(1);
  });

  test.each<Verdict>([IDP, "throttled", "access-denied", "token-rejected", "region-disabled"])(
    "has healed when its trial is answered with %s",
    async (verdict) => {
      const { clock, route, breakerOf } = regions("a", "b");
      route().ask(DOWN, "ok");
      await clock.advance(30_000);
      expect(route().ask(verdict)[0]).toMatch(/^a/);
      expect(breakerOf("a").openUntil(clock.now())).toBeUndefined();
    },
  );

  test("is not the one to go to at once", () => {
    const { route } = regions("a", "b");
    route().ask(DOWN, "ok");
    expect(route().ask(DOWN)).toEqual(["b"]);
  });

  test("is asked all the same when all are resting: the one whose rest ends first", async () => {
    const { clock, route } = regions("a", "b");
    const { ask } = route();
    expect(ask(DOWN)).toEqual(["a at once"]);
    await clock.advance(1_000);
    expect(ask(DOWN)).toEqual(["b"]);
    await clock.advance(1_000);
    expect(route().ask(DOWN)).toEqual(["a"]);
    await clock.advance(1_000);
    expect(route().ask(DOWN)).toEqual(["b"]);
  });
});

describe("a region that is left", () => {
  test("is not asked again in this round, and rests for nobody else", () => {
    const { route, targets, breakerOf, clock } = regions("a", "b");
    const { way, ask } = route();
    expect(way.leave(targets[0] as never)).toBe(true);
    expect(ask("throttled", "ok")).toEqual(["b", "b"]);
    expect(breakerOf("a").openUntil(clock.now())).toBeUndefined();
    expect(route().ask("ok")).toEqual(["a"]);
  });

  test("has another one that is worth asking, or is not left", () => {
    const { route, targets } = regions("a", "b");
    const { way, ask } = route();
    expect(ask(DOWN)).toEqual(["a at once"]);
    expect(way.leave(targets[1] as never)).toBe(false);
    expect(regions("a").route().way.leave(makeTarget())).toBe(false);
  });

  test("for what another call found there is one that failed after it was chosen", async () => {
    const { route, targets, breakerOf, clock } = regions("a", "b");
    const [a] = targets;
    const { way } = route();
    const before = clock.now();
    expect(way.leaveIfFailedSince(a as never, before)).toBe(false);
    await clock.advance(1_000);
    breakerOf("a").failed(clock.now());
    expect(way.leaveIfFailedSince(a as never, clock.now())).toBe(false);
    expect(way.leaveIfFailedSince(a as never, before)).toBe(true);
    expect(way.canMoveOn(a as never)).toBe(true);
    const later = route().way;
    breakerOf("a").succeeded();
    expect(later.leaveIfFailedSince(a as never, before)).toBe(false);
  });
});

describe("the region to ask beside another", () => {
  test("is the next one that is worth asking", () => {
    const { route, targets } = regions("a", "b", "c");
    const { way } = route();
    const [a, b] = targets;
    expect(way.beside(way.next())).toBe(b);
    way.failed(b as never, DOWN);
    expect(way.beside(a as never)?.region).toBe("c");
  });

  test("is none when the others rest, failed or are switched off", () => {
    const { route } = regions("a", "b", "c");
    const { way, ask } = route();
    expect(ask(DOWN)).toEqual(["a at once"]);
    const b = way.next();
    expect(way.beside(b)?.region).toBe("c");
    expect(ask("region-disabled")).toEqual(["b at once"]);
    expect(way.beside(way.next())).toBeUndefined();
    const alone = regions("a").route().way;
    expect(alone.beside(alone.next())).toBeUndefined();
  });
});
