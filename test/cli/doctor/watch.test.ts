import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { changesBetween, LatencyRecord, summaryOf } from "../../../src/cli/doctor/watch.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { finished, startCli } from "../run-cli.js";
import { sampleDiagnosis, sampleFinding } from "../sample-diagnosis.js";

describe("a watch", () => {
  test("prints what changed, with the time, and a summary after Ctrl-C", async () => {
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
    expect(stdout).toMatch(/^\d+ checks in .*: \d+ healthy, \d+ broken$/m);
    expect(stdout).toMatch(/p50 +p95 +max +ok +failed/);
    expect(stdout).toMatch(/^ {2}IdP JWKS +\d+ ms/m);
    expect(stdout).toMatch(/^ {2}STS eu-west-1 +\d+ ms/m);
    expect(stdout).toMatch(/^ {2}role eu-west-1 +\d+ ms/m);
  });
});

test("a watch with --json prints each diagnosis as one line, and nothing else", async () => {
  await using world = await startDoctorWorld();
  const args = ["doctor", "--allow-private-issuers", "--watch", "1s", "--json"];
  const child = startCli(args, { env: world.env });
  const end = finished(child);
  let lines = 0;
  child.stdout?.on("data", (piece) => {
    lines += String(piece).split("\n").length - 1;
    if (lines >= 2) child.kill("SIGINT");
  });
  const { exitCode, stdout, stderr } = await end;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  for (const line of stdout.trim().split("\n")) {
    expect(JSON.parse(line)).toMatchObject({ schemaVersion: 1, verdict: "healthy" });
  }
});

test("a watch that is stopped before its first diagnosis prints only that it was stopped", async () => {
  await using world = await startDoctorWorld();
  world.idp.setFault({ kind: "hang" });
  const args = ["doctor", "--allow-private-issuers", "--watch", "1s"];
  const child = startCli(args, { env: world.env, ownGroup: true });
  const end = finished(child);
  while (world.idp.requests.length === 0) await sleep(20);
  process.kill(-(child.pid ?? 0), "SIGINT");
  const { exitCode, stderr } = await end;
  expect({ exitCode, stderr }).toEqual({
    exitCode: 130,
    stderr: "resilient-sts: stopped by Ctrl-C\n",
  });
});

describe("changes", () => {
  test("are everything in the first diagnosis, and nothing while it stays the same", () => {
    expect(changesBetween(undefined, sampleDiagnosis()).map(({ kind }) => kind)).toEqual([
      "verdict",
      "worse",
      "worse",
      "worse",
    ]);
    expect(changesBetween(sampleDiagnosis(), sampleDiagnosis())).toEqual([]);
  });

  test("name new and resolved findings, and rotated keys", () => {
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

test("changes distinguish findings of the same ID by their evidence", () => {
  const unreachable = (region: string) => {
    return { ...sampleFinding("sts-unreachable", "advice"), evidence: { region } };
  };
  const status = (code: number) => {
    return { ...sampleFinding("discovery-http-status", "suspect"), evidence: { status: code } };
  };
  const before = sampleDiagnosis({ findings: [unreachable("eu-west-1"), status(503)] });
  const now = sampleDiagnosis({
    findings: [unreachable("eu-west-1"), unreachable("eu-central-1"), status(403)],
  });
  expect(changesBetween(before, now).map(({ text }) => text)).toEqual([
    "+ sts-unreachable (advice, eu-central-1): The values that were seen for sts-unreachable.",
    "+ discovery-http-status (suspect, 403): The values that were seen for discovery-http-status.",
    "- discovery-http-status (suspect, 503)",
  ]);
});

test("a change shows a remedy without its commands", () => {
  const cause = sampleFinding("jwks-slow", "suspect", { remedy: "IdP: fix it. Try:\ncurl x" });
  const [change] = changesBetween(undefined, sampleDiagnosis({ rootCause: cause }));
  expect(change?.text).toBe("degraded: The title of jwks-slow. IdP: fix it. Try:");
});

describe("latency", () => {
  test("is summarized by percentiles that were measured", () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summaryOf(samples, 3)).toEqual({
      count: 100,
      failed: 3,
      p50Ms: 50,
      p95Ms: 95,
      maxMs: 100,
    });
    expect(summaryOf([7], 0)).toEqual({ count: 1, failed: 0, p50Ms: 7, p95Ms: 7, maxMs: 7 });
  });

  test("is recorded for each server, with the number of failures", () => {
    const record = new LatencyRecord();
    const { timings } = sampleDiagnosis();
    record.add(sampleDiagnosis());
    record.add(sampleDiagnosis());
    // A busy issuer refuses quickly, which says nothing about the latency of its documents.
    const refused = timings.map((timing) => ({ ...timing, status: 503, totalMs: 1 }));
    record.add(sampleDiagnosis({ timings: refused.slice(0, 2) }));
    expect(Object.fromEntries(record.summaries)).toEqual({
      "IdP JWKS": { count: 2, failed: 1, p50Ms: 6400, p95Ms: 6400, maxMs: 6400 },
      "role eu-west-1": { count: 0, failed: 2, p50Ms: 0, p95Ms: 0, maxMs: 0 },
    });
    expect(record.lines().map((line) => line.trim().split(/ {2,}/))).toEqual([
      ["p50", "p95", "max", "ok", "failed"],
      ["IdP JWKS", "6.4 s", "6.4 s", "6.4 s", "2", "1"],
      ["role eu-west-1", "-", "-", "-", "0", "2"],
    ]);
  });
});
