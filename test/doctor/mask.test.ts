import { describe, expect, test } from "vitest";
import { mask } from "../../src/doctor/diagnose.js";
import type { Diagnosis } from "../../src/doctor/diagnosis.js";

/** One masked text of a diagnosis. */
function masked(text: string, subject?: string): string {
  const facts = { startedAt: text, elapsedMs: 0, unfinished: [], settings: [], sts: [] };
  const diagnosis: Diagnosis = {
    schemaVersion: 1,
    verdict: "healthy",
    rootCause: null,
    findings: [],
    timings: [],
    facts,
  };
  return mask(diagnosis, { token: undefined, isRedacted: true, subject }).facts.startedAt;
}

describe("a redacted diagnosis has no account id", () => {
  test.each([
    ["arn:aws:iam::123456789012:role/app", "arn:aws:iam::************:role/app"],
    ["is not activated for account:123456789012.", "is not activated for account:************."],
    ["in account 123456789012 (prod)", "in account ************ (prod)"],
    ["arn:aws:iam::1:role/app-123456789012", "arn:aws:iam::1:role/app-************"],
    [
      "https://oidc.example/123456789012/.well-known",
      "https://oidc.example/************/.well-known",
    ],
  ])("%j", (text, expected) => expect(masked(text)).toBe(expected));

  test.each([
    ["a request id", "request id 750a3f61-a4a5-42db-b3ae-135600000000"],
    ["a thumbprint", "a0b1123456789012ffee"],
    ["a longer number", "1234567890123"],
  ])("but keeps %s", (_, text) => expect(masked(text)).toBe(text));
});

test("a redacted diagnosis has no subject, in any spelling", () => {
  const subject = "repo:acme/app\n:ref:refs/heads/main";
  expect(masked(`sub ${subject}`, subject)).toBe("sub [subject]");
  expect(masked("sub repo:acme/app :ref:refs/heads/main", subject)).toBe("sub [subject]");
  expect(masked('sub "repo:acme/app\\n:ref:refs/heads/main"', subject)).toBe('sub "[subject]"');
  expect(masked("sub=repo%3Aacme%2Fapp%0A%3Aref%3Arefs%2Fheads%2Fmain", subject)).toBe(
    "sub=[subject]",
  );
  expect(masked("sub repo&#58;acme&#x2F;app :ref:refs/heads/main.", subject)).toBe(
    "sub [subject].",
  );
});
