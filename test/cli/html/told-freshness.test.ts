import { describe, expect, it } from "vitest";
import { toldFreshness } from "../../../src/cli/html/told-freshness.js";

const DATE = "Thu, 01 Jan 2026 00:00:00 GMT";
const LATER = "Thu, 01 Jan 2026 00:02:00 GMT";

describe("how long an answer may be kept", () => {
  it.each([
    [{ "cache-control": "max-age=600", age: "60" }, 600, 60, "max-age=600"],
    [{ "cache-control": 'public, MAX-AGE="30"', expires: LATER, date: DATE }, 30, 0, "max-age=30"],
    [{ "cache-control": "max-age=5", age: "many" }, 5, 0, "max-age=5"],
    [{ expires: LATER, date: DATE, age: "7" }, 120, 7, "Expires"],
    [{ expires: DATE, date: LATER }, 0, 0, "Expires"],
    [{ expires: "0" }, 0, 0, "Expires"],
  ])("%j: %i s, %i s old", (headers, lifetimeSeconds, ageSeconds, source) => {
    const told = { kind: "for", lifetimeSeconds, ageSeconds, source };
    expect(toldFreshness(headers as Record<string, string>)).toEqual(told);
  });

  it.each([
    [{ "cache-control": "public, No-Cache, max-age=600" }, "no-cache"],
    [{ "cache-control": "no-store" }, "no-store"],
    [{ pragma: "no-cache", "cache-control": "max-age=600" }, "no-cache"],
  ])("%j: not at all", (headers, words) => {
    expect(toldFreshness(headers as Record<string, string>)).toEqual({ kind: "refused", words });
  });

  it.each([{}, { expires: LATER }, { "cache-control": "s-maxage=600, public" }])(
    "%j: not said",
    (headers) => {
      expect(toldFreshness(headers as Record<string, string>)).toEqual({ kind: "unsaid" });
    },
  );
});
