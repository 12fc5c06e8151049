import { describe, expect, test } from "vitest";
import { ServerClock } from "../../src/sts/server-clock.js";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const answerAt = (ms: number) => ({
  date: new Date(ms).toUTCString(),
  "x-amzn-requestid": "request",
});

describe("the server's clock", () => {
  test("agrees with this machine's until an answer says otherwise", () => {
    expect(new ServerClock().skewMs).toBe(0);
  });

  test.each([
    ["ahead", 600_000],
    ["behind", -600_000],
    ["a little ahead", 15_000],
  ])("is known to be %s", (_, skewMs) => {
    const clock = new ServerClock();
    clock.observe(answerAt(NOW + skewMs), NOW);
    expect(clock.skewMs).toBe(skewMs);
  });

  test("is not told apart from this one by less than 15 s", () => {
    const clock = new ServerClock();
    for (const skewMs of [14_000, -14_000, 1_000, 0]) {
      clock.observe(answerAt(NOW + 60_000), NOW);
      clock.observe(answerAt(NOW + skewMs), NOW);
      expect(clock.skewMs).toBe(0);
    }
  });

  test("is as the last answer has it", () => {
    const clock = new ServerClock();
    clock.observe(answerAt(NOW + 60_000), NOW);
    clock.observe(answerAt(NOW - 90_000), NOW);
    expect(clock.skewMs).toBe(-90_000);
  });

  test.each<[string, Record<string, string>]>([
    ["without STS's request id, as a proxy's are", { date: "Thu, 01 Jan 1970 00:00:00 GMT" }],
    ["without a date", { "x-amzn-requestid": "request" }],
    ["with a date that is none", { date: "soon", "x-amzn-requestid": "request" }],
    ["with an empty date", { date: "", "x-amzn-requestid": "request" }],
  ])("is not told by answers %s", (_, headers) => {
    const clock = new ServerClock();
    clock.observe(answerAt(NOW + 60_000), NOW);
    clock.observe(headers, NOW);
    expect(clock.skewMs).toBe(60_000);
  });
});
