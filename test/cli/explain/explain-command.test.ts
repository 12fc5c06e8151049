import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findSections, sectionNames } from "../../../src/cli/explain/explain-command.js";
import { RANKING } from "../../../src/doctor/conclude.js";
import { readSharedJson } from "../../support/shared-data.js";
import { ROOT } from "../../support/sources.js";
import { runCli } from "../run-cli.js";

const DOCS = join(ROOT, "docs");

const places = (query: string) =>
  findSections(DOCS, query).map(({ page, anchor }) => `${page}#${anchor}`);

describe("explain finds", () => {
  test("every finding by its ID", () => {
    const missing = RANKING.filter((id) => !places(id).includes(`findings.md#${id}`));
    expect(missing).toEqual([]);
  });

  test("a code in any case", () => {
    expect(places("err_idp_unreachable")).toEqual(["failures.md#err_idp_unreachable"]);
  });

  test("a verdict and a finding of the same name together", () => {
    expect(places("token-expired")).toEqual([
      "failures.md#token-expired",
      "findings.md#token-expired",
    ]);
  });

  test("an error text by a part of it, however it is wrapped", () => {
    const anchor =
      "troubleshooting.md#couldnt-retrieve-verification-key-from-your-identity-provider";
    expect(
      places("Couldn't retrieve verification key from your identity provider, please"),
    ).toEqual([anchor]);
  });

  test("an error text inside a longer log line", () => {
    const line =
      "2026-11-01T10:00:00Z ERROR AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity (pod 7)";
    expect(places(line)).toEqual([
      "troubleshooting.md#not-authorized-to-perform-stsassumerolewithwebidentity",
    ]);
  });

  test("the message of STS, and the tool that shows it", () => {
    const text =
      "An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: Incorrect token audience";
    expect(places(text)).toEqual([
      "troubleshooting.md#incorrect-token-audience",
      "troubleshooting.md#an-error-occurred-invalididentitytoken",
    ]);
  });

  test("nothing for a short text or an unknown one", () => {
    expect(places("error")).toEqual([]);
    expect(places("the printer is out of paper")).toEqual([]);
  });
});

interface StsError {
  readonly code: string;
  readonly message: string;
  readonly confidence: string;
}

test("explain finds every error text that STS is known to return", () => {
  const errors = readSharedJson("sts-errors.json", "error texts that were observed") as
    | readonly StsError[]
    | undefined;
  if (errors === undefined) return;
  const seen = errors.filter(({ confidence }) => confidence === "seen-verbatim");
  expect(seen.length).toBeGreaterThan(15);
  const missing = seen.filter(
    ({ code, message }) =>
      places(code.startsWith("IAM") ? message : `${code}: ${message}`).length === 0,
  );
  expect(missing.map(({ message }) => message)).toEqual([]);
});

describe("resilient-sts explain", () => {
  test("prints the section as plain text, and where it is in the package", async () => {
    const { exitCode, stdout, stderr } = await runCli(["explain", "jwks-key-unusable"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^jwks-key-unusable\n {2}fatal; suspect if /);
    expect(stdout).toContain("IdP: publish the key with kty");
    expect(stdout).not.toMatch(/\*\*|`|\]\(/);
    expect(stdout.trimEnd()).toMatch(/\/docs\/findings\.md#jwks-key-unusable$/);
    const [last, ...text] = stdout.trimEnd().split("\n").toReversed();
    expect(last).toContain("#");
    expect(text.filter((line) => line.length > 80)).toEqual([]);
  });

  test("accepts an error text with or without quotes", async () => {
    const { stdout } = await runCli(["explain", "Incorrect", "token", "audience"]);
    expect(stdout).toMatch(/^Incorrect token audience\n/);
    expect(stdout).toContain("    InvalidIdentityToken: Incorrect token audience\n");
  });

  test("lists every name", async () => {
    const { stdout } = await runCli(["explain", "--list"]);
    expect(stdout.split("\n")).toEqual([...sectionNames(DOCS), ""]);
    expect(stdout).toContain("ERR_CLOSED\n");
  });

  test.each([
    [["explain"], /give one, such as resilient-sts explain ERR_ACCESS_DENIED/],
    [["explain", "ERR_NONSENSE"], /no explanation of "ERR_NONSENSE"; .* --list/],
  ])("%j ends with 2 and one line that says what to do", async (args, words) => {
    const { exitCode, stderr } = await runCli(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(words);
  });
});
