import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { diagnose, diagnoseWith } from "../../src/doctor/diagnose.js";
import type { Progress } from "../../src/doctor/diagnosis.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { type Clock, systemClock } from "../../src/runtime/clock.js";
import { makePool } from "../support/make-pool.js";
import {
  examine,
  healthy,
  REGION,
  ROLE_ARN,
  Site,
  settingsFor,
  TO_LOOPBACK,
} from "../support/matrix-world.js";
import { temporaryFolder } from "../support/sdk-environment.js";
import { closedPort, startLyingFront, startSilentServer } from "./odd-servers.js";

/** Ten seconds of the doctor's are one of the test's. */
const HURRIED: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 10,
  schedule: (ms, callback) => systemClock.schedule(ms / 10, callback),
};

const SUBJECT = "repo:acme/app:ref:refs/heads/main";

it("tells the environment's settings with their sources", async () => {
  using folder = temporaryFolder();
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const tokenFile = folder.write("token", `${await idp.issueToken()}\n`);
  const env = {
    AWS_CONFIG_FILE: folder.write("config", "[default]\nregion = eu-north-1\n"),
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: ROLE_ARN,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_DEFAULT_REGION: REGION,
  };
  const { verdict, facts } = await diagnose({ env, allowPrivateIssuers: true });
  expect(verdict).toBe("healthy");
  const told = Object.fromEntries(facts.settings.map(({ name, ...rest }) => [name, rest]));
  expect(told).toEqual({
    token: { value: tokenFile, source: "AWS_WEB_IDENTITY_TOKEN_FILE" },
    roleArn: { value: ROLE_ARN, source: "AWS_ROLE_ARN" },
    roleSessionName: { value: "resilient-sts-doctor", source: "default" },
    endpointUrl: { value: sts.url, source: "AWS_ENDPOINT_URL_STS" },
    stsRegionalEndpoints: { source: "none" },
    region: { value: REGION, source: "AWS_DEFAULT_REGION" },
    issuer: { value: idp.issuer, source: "token" },
  });
  expect(sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity")).toHaveLength(
    1,
  );
});

describe("RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS", () => {
  it.each([
    ["lets the doctor check a loopback issuer, as it lets the provider", undefined, true],
    ["is overruled by allowPrivateIssuers", false, false],
  ] as const)("%s", async (_, allowPrivateIssuers, isChecked) => {
    await using site = new Site();
    const { idp } = await healthy(site);
    const env = { RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true" };
    const { facts } = await diagnose({ issuer: idp.issuer, allowPrivateIssuers, env });
    const connected = facts.issuer?.addresses.some(({ connectMs }) => connectMs !== undefined);
    expect([connected, idp.requests.length > 0]).toEqual([isChecked, isChecked]);
  });
});

it("is plain data without the token, its payload, its signature or the credentials", async () => {
  let token = "";
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    token = await idp.issueToken({ subject: SUBJECT });
    sts.setFault({ code: "InvalidIdentityToken", message: `no: ${token}`, httpStatus: 400 });
    idp.setHeaders({ server: token });
    return { options: settingsFor(sts, token) };
  });
  const text = JSON.stringify(diagnosis);
  expect(JSON.parse(text)).toEqual(diagnosis);
  for (const part of [token, ...token.split(".").slice(1)]) expect(text).not.toContain(part);
  expect(text).toContain(SUBJECT);
});

it("masks the account and the subject when asked to", async () => {
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    sts.setFault("region-disabled");
    const options = settingsFor(sts, await idp.issueToken({ subject: SUBJECT }));
    return { options: { ...options, redact: true } };
  });
  const text = JSON.stringify(diagnosis);
  expect(text).not.toContain("123456789012");
  expect(text).not.toContain(SUBJECT);
  expect(diagnosis.facts.token?.subjectHash).toMatch(/^[0-9a-f]{16}$/);
  expect(text).toContain("arn:aws:iam::************:role/app");
});

it("asks STS for nothing when told not to, and says what is seen from here only", async () => {
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const token = await idp.issueToken();
  await idp.refuseConnections();
  const options = { ...settingsFor(sts, token), assume: false, env: {} };
  const { rootCause, facts } = await diagnose(options);
  expect(sts.requests.map(({ action }) => action)).not.toContain("AssumeRoleWithWebIdentity");
  expect(facts.assumeRole).toBeUndefined();
  expect(rootCause?.detail).toContain("STS may still reach it");
  expect(rootCause?.remedy).toContain(` --url '${idp.discoveryUrl}'`);
});

it("looks at an issuer alone without a word to STS", async () => {
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const env = { AWS_ENDPOINT_URL_STS: sts.url };
  const { verdict, facts } = await diagnose({ issuer: idp.issuer, allowPrivateIssuers: true, env });
  expect(verdict).toBe("healthy");
  expect(facts.sts).toEqual([]);
  expect(facts.issuer?.keys).toMatchObject([{ kid: idp.kid, usable: true }]);
  expect(facts.issuer?.latency.map(({ triesMs }) => triesMs.length)).toEqual([3, 3]);
  expect(sts.connections.total).toBe(0);
});

it("goes by STS's clock where the machine's is wrong", async () => {
  const diagnosis = await examine(async (site) => {
    const now = () => Date.now() + 3_600_000;
    return { options: (await healthy(site, { idp: { now }, sts: { now } })).options };
  });
  expect(diagnosis.findings.map(({ id }) => id)).toEqual(["clock-skew"]);
  expect(diagnosis.facts.clockSkewMs).toBeGreaterThan(3_590_000);
});

it.each([-30, -10, 10, 30])(
  "names the clock of a machine that is %d minutes off, and not a token of five minutes",
  async (minutes) => {
    for (const assume of [true, false]) {
      const { rootCause, findings } = await examine(async (site) => {
        const now = () => Date.now() + minutes * 60_000;
        const { idp, sts } = await healthy(site, { idp: { now }, sts: { now } });
        const token = await idp.issueToken({ expiresInSeconds: 300 });
        return { options: { ...settingsFor(sts, token), assume } };
      });
      expect(findings.map(({ id }) => id)).toEqual(["clock-skew"]);
      const way = minutes > 0 ? "behind" : "ahead of";
      expect(rootCause?.detail).toContain(`It is ${Math.abs(minutes)} min ${way} that of `);
    }
  },
);

it("suspects a token for its times where STS says nothing of the time", async () => {
  const { rootCause, findings } = await examine(async (site) => {
    const idp = await site.idp();
    const token = await idp.issueToken({ expiresInSeconds: -7_200 });
    return { options: settingsFor({ url: `http://127.0.0.1:${await closedPort()}` }, token) };
  });
  expect(rootCause?.id).toBe("sts-unreachable");
  expect(findings.find(({ id }) => id === "token-expired")).toMatchObject({ severity: "suspect" });
});

it("believes no Date that cannot be right, and says so", async () => {
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    const { port } = site.keep(await startLyingFront(sts));
    return { options: settingsFor({ url: `http://127.0.0.1:${port}` }, await idp.issueToken()) };
  });
  expect(diagnosis.verdict).toBe("healthy");
  expect(diagnosis.findings.map(({ id }) => id)).toEqual(["sts-date-wrong"]);
  expect(diagnosis.facts.clockSkewMs).toBe(0);
  expect(diagnosis.facts.assumeRole?.rejectedDate?.reason).toBe("session-too-long");
});

it("names the global endpoint, and each region's", async () => {
  const { facts, findings } = await examine(async (site) => {
    const idp = await site.idp();
    const { endpointUrl: _, ...options } = settingsFor({ url: "" }, await idp.issueToken());
    const env = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
    const failoverRegions = ["eu-central-1"];
    return {
      options: { ...options, failoverRegions, assume: false },
      runtime: { ...TO_LOOPBACK, env },
    };
  });
  expect(facts.sts).toMatchObject([
    { region: REGION, kind: "global", host: "sts.amazonaws.com", isPrivate: true },
    { region: "eu-central-1", kind: "regional", host: "sts.eu-central-1.amazonaws.com" },
  ]);
  expect(findings.find(({ id }) => id === "endpoint-global")?.remedy).toContain(
    "sts.eu-west-1.amazonaws.com",
  );
});

it("ends when its time is up, and says what was not finished", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const idp = await site.idp();
  const token = await idp.issueToken({ claims: { iss: `http://127.0.0.1:${port}` } });
  const options = { ...settingsFor({ url: `http://127.0.0.1:${port}` }, token), timeoutMs: 1_000 };
  const { facts, rootCause } = await diagnose({ ...options, env: {} });
  expect(facts.elapsedMs).toBeLessThan(2_000);
  expect(facts.unfinished).toContain("issuer-documents");
  expect(rootCause?.id).toBe("sts-timeout");
});

it("calls no issuer healthy that it had no time to read", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const issuer = `http://127.0.0.1:${port}`;
  const options = { issuer, allowPrivateIssuers: true, timeoutMs: 1_000, env: {} };
  const { verdict, rootCause } = await diagnose(options);
  expect({ verdict, id: rootCause?.id }).toEqual({ verdict: "degraded", id: "discovery-slow" });
  expect(rootCause?.title).toContain("before the time of this run was up");
});

describe("a profile whose file is never read to its end", () => {
  /** A pipe that nobody writes to; its readers go on when the test ends. */
  function endlessFile() {
    const folder = temporaryFolder();
    const path = join(folder.path, "config");
    execFileSync("mkfifo", [path]);
    vi.stubEnv("AWS_CONFIG_FILE", path);
    return {
      [Symbol.dispose]() {
        vi.unstubAllEnvs();
        closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
        folder[Symbol.dispose]();
      },
    };
  }

  it("is told, and the rest of the run goes on", async () => {
    using _file = endlessFile();
    await using site = new Site();
    const { idp, options } = await healthy(site);
    const { verdict, rootCause, facts } = await diagnoseWith(options, {
      clock: HURRIED,
      env: {},
      resolve: resolveHost,
      pool: makePool(),
    });
    expect(facts.elapsedMs).toBeLessThan(20_000);
    expect(verdict).toBe("broken");
    expect(rootCause?.detail).toContain("AWS_CONFIG_FILE");
    expect(facts.issuer?.keys).toMatchObject([{ kid: idp.kid }]);
  });

  it("does not keep an aborted run", async () => {
    using _file = endlessFile();
    const options = { token: "t", env: {}, signal: AbortSignal.timeout(50) };
    await expect(diagnose(options)).rejects.toThrow("timeout");
  });
});

it("rejects with the reason of a signal that aborts, at once", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const controller = new AbortController();
  const issuer = `http://127.0.0.1:${port}`;
  const options = { issuer, allowPrivateIssuers: true, signal: controller.signal };
  const running = diagnose(options);
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(running).rejects.toThrow("enough");
});

it("tells of every step, whatever the listener throws", async () => {
  await using site = new Site();
  const { options } = await healthy(site);
  const told: Progress[] = [];
  const onProgress = (progress: Progress) => {
    told.push(progress);
    throw new Error("a broken display");
  };
  await diagnose({ ...options, env: {}, onProgress });
  const steps = ["assume-role", "issuer-documents", "issuer-network", "sts-endpoint", "token"];
  for (const state of ["started", "finished"]) {
    const those = told.filter((each) => each.state === state).map(({ step }) => step);
    expect(those.toSorted()).toEqual(steps);
  }
});
