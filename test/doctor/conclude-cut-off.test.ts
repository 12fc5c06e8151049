import { describe, expect, test } from "vitest";
import { weakenCutOff } from "../../src/doctor/conclude-sts.js";
import { diagnose } from "../../src/doctor/diagnose.js";
import type { EndpointFacts } from "../../src/doctor/diagnosis.js";
import type { Failure } from "../../src/model/failure.js";
import type { Finding, Severity } from "../../src/model/findings.js";
import { healthy, Site } from "../support/matrix-world.js";

const finding = (id: Finding["id"], severity: Severity): Finding => {
  return { id, severity, title: id, detail: "no answer", remedy: "", evidence: {} };
};

const answered = { host: "sts.invalid", status: 302 } as EndpointFacts;
const silent = { host: "sts.invalid", failedIn: "answer" } as EndpointFacts;
const slow = finding("jwks-slow", "suspect");

describe("a call without an answer", () => {
  test.each<[string, Severity, number | false, EndpointFacts | undefined, readonly Finding[]]>([
    ["is fatal if the run ended later than STS waits", "fatal", 6_000, answered, []],
    ["is fatal if it had its full time", "fatal", false, answered, []],
    ["is fatal if a bare GET gets no answer either", "fatal", 5_999, silent, []],
    ["is fatal if nothing is known about the endpoint", "fatal", 5_999, undefined, []],
    ["is suspected if the run ended earlier than STS answers", "suspect", 5_999, answered, []],
    ["is advice if another finding explains it", "advice", 5_999, answered, [slow]],
  ])("%s", (_name, severity, cutAtMs, endpoint, seen) => {
    const failure: Failure = { kind: "timeout", message: "", cutShort: cutAtMs !== false };
    const assumeRole = { region: "", outcome: "sts-unavailable", ms: cutAtMs || 10_000 } as const;
    const facts = { sts: endpoint ? [endpoint] : [], assumeRole };
    const weakened = weakenCutOff(finding("sts-timeout", "fatal"), failure, { facts, seen });
    expect(weakened.severity).toBe(severity);
    expect(weakened.detail.includes("bare GET")).toBe(severity !== "fatal");
  });
});

test("a run that is too short for a slow issuer names the issuer as the cause", async () => {
  await using site = new Site();
  const { idp, options } = await healthy(site);
  idp.setFault({ kind: "slow", delayMs: 3_000, on: "jwks" });
  const { verdict, rootCause, findings } = await diagnose({
    ...options,
    env: {},
    timeoutMs: 1_000,
  });
  expect({ verdict, id: rootCause?.id }).toEqual({ verdict: "degraded", id: "discovery-slow" });
  expect(findings.find(({ id }) => id === "sts-timeout")?.severity).toBe("advice");
});
