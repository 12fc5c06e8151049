import { describe, expect, test } from "vitest";
import { IssuerCache } from "../../src/preflight/issuer-cache.js";
import { FakeClock } from "../support/fake-clock.js";

function world() {
  const clock = new FakeClock();
  // Names that never resolve: a check of them does not end.
  const transport = { env: {}, resolve: () => new Promise<never>(() => {}) };
  const context = { clock, transport, reach: "public" as const, timeoutMs: 5_000 };
  const cache = new IssuerCache();
  const of = (name: number | string) => cache.of(`https://${name}.invalid`, context);
  return { cache, context, of };
}

const ANY_AGE = { discoveryMs: Number.POSITIVE_INFINITY, jwksMs: Number.POSITIVE_INFINITY };

describe("the issuers that a process knows", () => {
  test("are shared by all checks with the same settings, and by no others", () => {
    const { cache, context, of } = world();
    expect(of("a")).toBe(of("a"));
    expect(of("b")).not.toBe(of("a"));
    const issuer = "https://a.invalid";
    expect(cache.of(issuer, { ...context, reach: "any" })).not.toBe(of("a"));
    expect(cache.of(issuer, { ...context, timeoutMs: 1 })).not.toBe(of("a"));
    expect(cache.of("no URL", context)).toBeUndefined();
  });

  test("are at most a hundred: the next one replaces the least recently used", () => {
    const { of } = world();
    const first = of(0);
    const second = of(1);
    for (let index = 2; index < 100; index += 1) of(index);
    expect(of(0)).toBe(first);
    of(100);
    expect(of(0)).toBe(first);
    expect(of(1)).not.toBe(second);
  });

  test("are not dropped while requests to them are in progress", () => {
    const { of } = world();
    const busy = of(0);
    const idle = of(1);
    const controller = new AbortController();
    busy?.get(ANY_AGE, controller.signal).catch(() => {});
    expect(busy?.isBusy).toBe(true);
    for (let index = 2; index <= 101; index += 1) of(index);
    expect(of(0)).toBe(busy);
    expect(of(1)).not.toBe(idle);
    controller.abort();
  });
});
