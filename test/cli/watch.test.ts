import { describe, expect, it } from "vitest";
import { changesBetween } from "../../src/cli/doctor/diagnosis-changes.js";
import { LatencyRecord, summaryOf } from "../../src/cli/doctor/latency-record.js";
import { startDoctorWorld } from "./doctor-world.js";
import { finished, startCli } from "./run-cli.js";
import { sampleDiagnosis, sampleFinding } from "./sample-diagnosis.js";

describe("a watch", () => {
  it("tells what changed, with the time, and sums up after Ctrl-C", async () => {
    await using world = await startDoctorWorld();
    const child = startCli(["doctor", "--allow-private-issuers", "--watch", "1s"], {
      env: world.env,
    });
    const end = finished(child);
    let seen = "";
    child.stdout?.on("data", (piece) => {
      seen += String(piece);
      if (/healthy/.test(seen) && !/degraded|broken/.test(seen))
        world.sts.setFault("access-denied");
      if (/- sts-access-denied/.test(seen)) child.kill("SIGINT");
      else if (/\+ sts-access-denied/.test(seen)) world.sts.clearFaults();
    });
    const { exitCode, stdout, stderr } = await end;
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d {2}healthy$/m);
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d {2}broken: /m);
    expect(stdout).toMatch(/^\d+ looks in .*: \d+ healthy, \d+ broken$/m);
    expect(stdout).toMatch(/p50 +p95 +max/);
    expect(stdout).toMatch(/^ {2}IdP JWKS +\d+ ms/m);
    expect(stdout).toMatch(/^ {2}STS eu-west-1 +\d+ ms/m);
  });
});

describe("changes", () => {
  it("are everything at the first look, and nothing while all stays", () => {
    expect(changesBetween(undefined, sampleDiagnosis()).map(({ kind }) => kind)).toEqual([
      "verdict",
      "worse",
      "worse",
      "worse",
    ]);
    expect(changesBetween(sampleDiagnosis(), sampleDiagnosis())).toEqual([]);
  });

  it("name findings that come and go, and keys that are rotated", () => {
    const before = sampleDiagnosis({ findings: [sampleFinding("jwks-slow", "suspect")] });
    const { facts } = before;
    const keys = [{ kid: "new", usable: true, matchesToken: true }];
    const issuer = facts.issuer && { ...facts.issuer, keys };
    const now = sampleDiagnosis({
      findings: [sampleFinding("jwks-slow", "advice")],
      facts: { ...facts, issuer },
    });
    expect(changesBetween(before, now).map(({ text }) => text)).toEqual([
      "+ jwks-slow (advice): The values that were seen for jwks-slow.",
      "- jwks-slow (suspect)",
      "keys: +new -other -current",
    ]);
  });
});

describe("latency", () => {
  it("is told by percentiles that were measured", () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summaryOf(samples)).toEqual({ count: 100, p50Ms: 50, p95Ms: 95, maxMs: 100 });
    expect(summaryOf([7])).toEqual({ count: 1, p50Ms: 7, p95Ms: 7, maxMs: 7 });
  });

  it("is kept for each party", () => {
    const record = new LatencyRecord();
    record.add(sampleDiagnosis());
    expect([...record.summaries.keys()]).toEqual(["IdP JWKS"]);
    expect(record.lines()).toHaveLength(2);
  });
});
