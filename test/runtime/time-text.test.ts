import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TIMER_MS } from "../../src/runtime/clock.js";
import {
  formatDuration,
  formatTime,
  parseHttpDate,
  readRetryAfter,
} from "../../src/runtime/time-text.js";

const NOW = Date.UTC(2026, 0, 1);
/** Whole seconds of the years that all three forms can name. */
const moments = fc
  .integer({ min: Date.UTC(1980, 0) / 1000, max: Date.UTC(2070, 0) / 1000 })
  .map((seconds) => seconds * 1000);

/** The three forms of RFC 9110, section 5.6.7. */
const FORMS: readonly ((date: Date) => string)[] = [
  (date) => date.toUTCString(),
  (date) => {
    const [, , month, year = "", time] = date.toUTCString().split(/[ ,]+/);
    const day = date.toLocaleDateString("en-US", { weekday: "long", timeZone: "UTC" });
    return `${day}, ${two(date.getUTCDate())}-${month}-${year.slice(2)} ${time} GMT`;
  },
  (date) => {
    const [day, , month, year, time] = date.toUTCString().split(/[ ,]+/);
    return `${day} ${month} ${String(date.getUTCDate()).padStart(2)} ${time} ${year}`;
  },
];
const two = (number: number) => String(number).padStart(2, "0");

describe("a date in an HTTP header", () => {
  test("is read in each of its three forms, as GMT", () => {
    fc.assert(
      fc.property(moments, fc.constantFrom(...FORMS), (at, write) => {
        expect(parseHttpDate(write(new Date(at)), NOW)).toBe(at);
      }),
    );
  });

  test.each([
    ["Sun, 06 Nov 1994 08:49:37 GMT"],
    ["Sunday, 06-Nov-94 08:49:37 GMT"],
    ["Sun Nov  6 08:49:37 1994"],
    [" Sun, 06 Nov 1994 08:49:37 GMT "],
  ])("can have the form %j, an example of the RFC", (text) => {
    expect(parseHttpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
  });

  test.each([
    ["Friday, 01-Jan-77 00:00:00 GMT", 1977],
    ["Friday, 01-Jan-76 00:00:00 GMT", 2076],
    ["Friday, 01-Jan-26 00:00:00 GMT", 2026],
    ["Friday, 01-Jan-00 00:00:00 GMT", 2000],
  ])("with a year of two digits is at most 50 years in the future: %s", (text, year) => {
    expect(parseHttpDate(text, NOW)).toBe(Date.UTC(year, 0, 1));
  });

  test("may have a leap second, and may be of the first century", () => {
    const leap = parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT", NOW);
    expect(leap).toBe(Date.UTC(2017, 0, 1));
    expect(
      new Date(parseHttpDate("Sat, 01 Jan 0050 00:00:00 GMT", NOW) ?? 0).getUTCFullYear(),
    ).toBe(50);
  });

  test.each([
    "soon 2099",
    "2099",
    "2099-01-01",
    "2099-01-01T00:00:00Z",
    "Thu, 01 Jan 2099 00:00:00",
    "Thu, 01 Jan 2099 00:00:00 UTC",
    "Thu, 01 Jan 2099 00:00:00 +0000",
    "Thu, 1 Jan 2099 00:00:00 GMT",
    "01 Jan 2099 00:00:00 GMT",
    "thu, 01 jan 2099 00:00:00 gmt",
    "Thu, 30 Feb 2099 00:00:00 GMT",
    "Thu, 00 Jan 2099 00:00:00 GMT",
    "Thu, 01 Jan 2099 24:00:00 GMT",
    "Thu, 01 Jan 2099 00:60:00 GMT",
    "Thu, 01 Jan 2099 00:00:61 GMT",
    "x Thu, 01 Jan 2099 00:00:00 GMT",
    "Thu, 01 Jan 2099 00:00:00 GMT x",
    "Sun Nov  6 08:49:37 1994 GMT",
    "",
  ])("can't be %j", (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
    const isNumber = /^\d+$/.test(text);
    expect(readRetryAfter({ "retry-after": text }, NOW)).toBe(
      isNumber ? Number(text) * 1000 : undefined,
    );
  });

  test("is not read when a character other than a digit is missing or changed", () => {
    fc.assert(
      fc.property(
        moments,
        fc.constantFrom(...FORMS),
        fc.nat(),
        fc.constantFrom("", "x"),
        (at, write, index, put) => {
          const text = write(new Date(at));
          const place = index % text.length;
          // Without one of its digits, a text may still be a date.
          fc.pre(!/\d/.test(text[place] ?? ""));
          fc.pre(!(put === "" && text.slice(place - 1, place + 2).includes("  ")));
          const changed = text.slice(0, place) + put + text.slice(place + 1);
          expect(parseHttpDate(changed, NOW)).toBeUndefined();
        },
      ),
    );
  });
});

describe("Retry-After", () => {
  test("requests a wait of whole seconds, or until a date that counts from the response's own date", () => {
    fc.assert(
      fc.property(
        moments,
        fc.nat({ max: 86_400 }),
        fc.constantFrom(...FORMS),
        (sentAt, seconds, write) => {
          const date = write(new Date(sentAt));
          const until = write(new Date(sentAt + seconds * 1000));
          expect(readRetryAfter({ "retry-after": until, date }, 0)).toBe(seconds * 1000);
          expect(readRetryAfter({ "retry-after": String(seconds), date }, 0)).toBe(seconds * 1000);
          expect(readRetryAfter({ "retry-after": date, date: until }, 0)).toBe(0);
        },
      ),
    );
  });

  test("requests no wait that a timer can't have", () => {
    for (const text of ["9".repeat(10), "9".repeat(400), "Fri, 31 Dec 9999 23:59:59 GMT"]) {
      expect(readRetryAfter({ "retry-after": text }, NOW)).toBe(MAX_TIMER_MS);
    }
  });

  test("requests no wait with any other text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.date().map(String)), (text) => {
        fc.pre(!/^\s*\d+\s*$/.test(text) && parseHttpDate(text, NOW) === undefined);
        expect(readRetryAfter({ "retry-after": text }, NOW)).toBeUndefined();
      }),
    );
  });
});

describe("a duration for people", () => {
  test.each([
    [0, "0 ms"],
    [0.4, "<1 ms"],
    [1, "1 ms"],
    [999, "999 ms"],
    [1_000, "1 s"],
    [1_250, "1.3 s"],
    [99_900, "99.9 s"],
    [100_000, "2 min"],
    [119 * 60_000, "119 min"],
    [120 * 60_000, "2 h"],
    [47 * 3_600_000, "47 h"],
    [48 * 3_600_000, "2 days"],
  ])("of %d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("a time for people", () => {
  const HALF_DAY = 12 * 3_600_000;

  test("has its date only if it is twelve hours or more away, before or after", () => {
    for (const sign of [-1, 1]) {
      expect(formatTime(NOW, NOW + sign * (HALF_DAY - 1))).toBe("00:00 UTC");
      expect(formatTime(NOW, NOW + sign * HALF_DAY)).toBe("2026-01-01 00:00 UTC");
    }
  });

  test("is described if its year does not have four digits, or it is before 1970", () => {
    const last = Date.UTC(9999, 11, 31, 23, 59, 59);
    expect(formatTime(last, NOW)).toBe("9999-12-31 23:59 UTC");
    expect(formatTime(last + 1, NOW)).toBe("a time after the year 9999");
    expect(formatTime(Number.NaN, NOW)).toBe("a time after the year 9999");
    expect(formatTime(0, NOW)).toBe("1970-01-01 00:00 UTC");
    expect(formatTime(-1, NOW)).toBe("a time before 1970");
  });
});
