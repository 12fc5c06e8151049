import { describe, expect, test } from "vitest";
import { waterfall } from "../../../src/cli/html/waterfall.js";
import type { Timing } from "../../../src/doctor/diagnosis.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

const document: Timing = {
  step: "issuer-documents",
  party: "issuer",
  label: "JWKS (request 1)",
  url: "https://login.example.com/keys",
  startMs: 0,
  totalMs: 20,
  status: 200,
  limitMs: 5000,
};
const drawn = (...timings: Timing[]) => `${waterfall(timings)}`;

describe("the waterfall", () => {
  const html = `${waterfall(sampleDiagnosis().timings)}`;

  test("has a lane for every request, with its parts drawn and told", () => {
    expect(html.match(/<td class="lane"/g)).toHaveLength(3);
    expect(html).toContain(
      "at 953 ms: DNS 31 ms, connect 80 ms, TLS 160 ms, wait 5.6 s, read 500 ms",
    );
    expect(
      html.match(/<rect class="(?:dns|connect|tls|wait|read)" x="[^"]+" width="\d+\.\d+%"/g),
    ).toHaveLength(7);
  });

  test("has the 5 s line in every lane, red where an identity provider was asked", () => {
    expect(html.match(/<line class="limit"/g)).toHaveLength(1);
    expect(html.match(/<line class="measure"/g)).toHaveLength(2);
  });

  test("is wide enough for the line of a request that began late", () => {
    const late = drawn(document, { ...document, startMs: 9000 });
    const [, last = ""] = late.match(/<line class="limit" x1="([\d.]+)%"/g) ?? [];
    const x = Number(/x1="([\d.]+)/.exec(last)?.[1]);
    expect(x).toBeGreaterThan(90);
    expect(x).toBeLessThan(100);
  });

  test("says in words that STS would have given up", () => {
    expect(drawn({ ...document, totalMs: 4999 })).not.toMatch(/given up|class="bad"/);
    expect(drawn({ ...document, totalMs: 5000 })).toMatch(/given up.*class="bad">✗ 5 s<br>200/);
  });

  test.each([
    [{ error: "ECONNRESET" }, true],
    [{ status: 500 }, true],
    [{ status: 304 }, false],
    [{ step: "sts-endpoint", party: "sts", status: 403 }, false],
    [{ step: "assume-role", party: "sts", status: 403 }, true],
  ] as const)("marks %j as failed: %s", (change, isBad) => {
    expect(drawn({ ...document, ...change }).includes('class="bad"')).toBe(isBad);
  });

  test("tells an address once, however often it was asked", () => {
    expect(drawn(document, document, document).split("login.example.com")).toHaveLength(2);
  });
});
